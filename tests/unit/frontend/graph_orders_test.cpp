#include "frontend/graph_orders.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "wire/generated/codec.h"

namespace virtgpu::frontend {
namespace {

using protocol::OptimizeGraphReply;
using wire::Fault;

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};

using Dependencies = std::vector<std::pair<ggml_tensor*, ggml_tensor*>>;

void collect(void* dependencies, ggml_tensor* tensor, ggml_tensor* until) {
    static_cast<Dependencies*>(dependencies)->emplace_back(tensor, until);
}

class GraphOrdersTest : public testing::Test {
 protected:
    // Two nodes that do not need each other, and their sum.
    ggml_cgraph* make_graph(int64_t elements = 8) {
        ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, elements);
        ggml_tensor* const one = ggml_scale(context_.get(), a, 2.0F);
        ggml_tensor* const other = ggml_scale(context_.get(), a, 3.0F);
        ggml_cgraph* const graph = ggml_new_graph(context_.get());
        ggml_build_forward_expand(graph, ggml_add(context_.get(), one, other));
        return graph;
    }

    static std::vector<ggml_tensor*> nodes_of(ggml_cgraph* graph) {
        ggml_tensor** const nodes = ggml_graph_nodes(graph);
        return {nodes, nodes + ggml_graph_n_nodes(graph)};
    }

    wire::Result<void> apply(ggml_cgraph* graph) {
        GraphEncoder encoder(nullptr);
        for (const ggml_tensor* node : nodes_of(graph))
            TRY(encoder.add_node(*node));
        return orders_.apply(encoder, *graph, &parameters_, [&](std::span<const std::byte> bytes) {
            ++asked_;
            return answer_(*wire::decode_whole<protocol::Graph>(bytes));
        });
    }

    // The first two nodes in the other order.
    static OptimizeGraphReply swapped(const protocol::Graph& graph) {
        OptimizeGraphReply reply{graph.nodes, {}};
        std::swap(reply.nodes[0], reply.nodes[1]);
        return reply;
    }

    std::unique_ptr<ggml_context, ContextDeleter> context_{
        ggml_init({.mem_size = 64 << 20, .mem_buffer = nullptr, .no_alloc = true})};
    GraphOrders orders_{100000};  // room for some dozens
    int asked_ = 0;
    std::function<wire::Result<OptimizeGraphReply>(const protocol::Graph&)> answer_ = swapped;
    Dependencies dependencies_;
    ggml_backend_graph_optimize_params parameters_{collect, &dependencies_};
};

TEST_F(GraphOrdersTest, NodesAreComputedInTheBetterOrder) {
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    ASSERT_TRUE(apply(graph));
    EXPECT_THAT(nodes_of(graph), testing::ElementsAre(before[1], before[0], before[2]));
    EXPECT_TRUE(dependencies_.empty());
}

TEST_F(GraphOrdersTest, TheHostIsAskedOncePerStructure) {
    for (int i = 0; i < 3; ++i) {
        ggml_cgraph* const graph = make_graph();
        const auto before = nodes_of(graph);
        ASSERT_TRUE(apply(graph));
        EXPECT_THAT(nodes_of(graph), testing::ElementsAre(before[1], before[0], before[2]));
    }
    EXPECT_EQ(asked_, 1);
    ASSERT_TRUE(apply(make_graph(16)));
    EXPECT_EQ(asked_, 2);
    ASSERT_TRUE(apply(make_graph(8)));
    EXPECT_EQ(asked_, 2);
}

TEST_F(GraphOrdersTest, AFullMemoStartsAnew) {
    for (int64_t elements = 1; elements <= 300; ++elements)
        ASSERT_TRUE(apply(make_graph(elements)));
    EXPECT_EQ(asked_, 300);
    ASSERT_TRUE(apply(make_graph(300)));
    EXPECT_EQ(asked_, 300);
    ASSERT_TRUE(apply(make_graph(1)));
    EXPECT_EQ(asked_, 301);
}

TEST_F(GraphOrdersTest, DependenciesReachTheAllocator) {
    answer_ = [](const protocol::Graph& graph) {
        return OptimizeGraphReply{graph.nodes, {{graph.nodes[0], graph.nodes[2]}, {0, 1}}};
    };
    for (int i = 0; i < 2; ++i) {
        ggml_cgraph* const graph = make_graph();
        const auto nodes = nodes_of(graph);
        dependencies_.clear();
        ASSERT_TRUE(apply(graph));
        EXPECT_THAT(dependencies_, testing::ElementsAre(testing::Pair(nodes[0], nodes[2]),
                                                        testing::Pair(nodes[0]->src[0], nodes[0])));
    }
    EXPECT_EQ(asked_, 1) << "remembered ones as well";
}

TEST_F(GraphOrdersTest, WithoutAnAllocatorThereIsTheOrderAlone) {
    answer_ = [](const protocol::Graph& graph) {
        OptimizeGraphReply reply = swapped(graph);
        reply.dependencies = {{0, 1}};
        return reply;
    };
    parameters_.add_alloc_dep = nullptr;
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    ASSERT_TRUE(apply(graph));
    EXPECT_EQ(nodes_of(graph)[0], before[1]);
}

TEST_F(GraphOrdersTest, ARefusalLeavesTheGraphAloneAndIsRemembered) {
    answer_ = [](const protocol::Graph&) { return wire::fail(Fault::kRefused, "too hard"); };
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(apply(graph));
    EXPECT_EQ(nodes_of(graph), before);
    EXPECT_EQ(asked_, 1);
}

TEST_F(GraphOrdersTest, ALostHostIsNoAnswer) {
    answer_ = [](const protocol::Graph&) { return wire::fail(Fault::kLost, "gone"); };
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(apply(graph).error().fault(), Fault::kLost);
    EXPECT_EQ(nodes_of(graph), before);
    EXPECT_EQ(asked_, 2);
}

TEST_F(GraphOrdersTest, WrongAnswersLeaveTheGraphAlone) {
    const auto wrong = [](auto change) {
        return [change](const protocol::Graph& graph) {
            OptimizeGraphReply reply = swapped(graph);
            change(reply, static_cast<uint32_t>(graph.tensors.size()));
            return reply;
        };
    };
    const std::vector<std::function<wire::Result<OptimizeGraphReply>(const protocol::Graph&)>>
        answers{
            wrong([](OptimizeGraphReply& reply, uint32_t) { reply.nodes.pop_back(); }),
            wrong([](OptimizeGraphReply& reply, uint32_t) { reply.nodes[0] = reply.nodes[1]; }),
            wrong([](OptimizeGraphReply& reply, uint32_t) { reply.nodes[0] = 0; }),
            wrong([](OptimizeGraphReply& reply, uint32_t count) { reply.nodes.push_back(count); }),
            wrong([](OptimizeGraphReply& reply, uint32_t count) {
                reply.dependencies = {{count, 0}};
            }),
            wrong([](OptimizeGraphReply& reply, uint32_t count) {
                reply.dependencies = {{0, count}};
            })};
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    for (size_t i = 0; i < answers.size(); ++i) {
        answer_ = answers[i];
        const auto applied = apply(graph);
        ASSERT_FALSE(applied) << i;
        EXPECT_EQ(applied.error().fault(), Fault::kPeer);
        EXPECT_EQ(nodes_of(graph), before) << i;
        EXPECT_TRUE(dependencies_.empty()) << i;
    }
}

TEST_F(GraphOrdersTest, NobodyIsAskedAboutEmptyAndHugeGraphs) {
    ASSERT_TRUE(apply(ggml_new_graph(context_.get())));
    ggml_tensor* last = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    for (uint32_t i = 0; i <= protocol::kMaxOptimizedNodes; ++i)
        last = ggml_scale(context_.get(), last, 2.0F);
    ggml_cgraph* const graph =
        ggml_new_graph_custom(context_.get(), size_t{2} * protocol::kMaxOptimizedNodes, false);
    ggml_build_forward_expand(graph, last);
    ASSERT_TRUE(apply(graph));
    EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace virtgpu::frontend
