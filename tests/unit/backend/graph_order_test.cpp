#include "backend/graph_order.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "ggml_private/ggml_plugin_abi.h"
#include "tests/unit/backend/compute_fixture.h"

namespace virtgpu::backend {
namespace {

using Optimize = std::function<void(ggml_cgraph*, ggml_backend_graph_optimize_params*)>;

// Two products that do not need each other, and their sum.
ggml_tensor* two_branches(ggml_context* context) {
    ggml_tensor* const a = ggml_new_tensor_1d(context, GGML_TYPE_F32, 16);
    ggml_tensor* const one = ggml_scale(context, a, 2.0F);
    ggml_tensor* const other = ggml_sqr(context, a);
    return ggml_add(context, one, other);
}

// The processor's backend, with an order of the test's own.
class BetterOrderTest : public ::testing::Test {
 protected:
    void SetUp() override {
        catalogue_ = *Catalogue::load({.backends = {"cpu"}}, log_);
        session_ = std::make_unique<Session>(1, *catalogue_, std::make_shared<TestRegions>(),
                                             Limits(), std::chrono::microseconds(0),
                                             std::make_shared<MemoryAccount>(UINT64_MAX),
                                             std::make_shared<GraphUids>(0), nullptr, log_);
        ASSERT_TRUE(session_->agree(
            *validate::Vocabulary::negotiate(catalogue_->vocabulary(), hello_of_this_ggml())));
        backend_.reset(ggml_backend_dev_init(*catalogue_->device(0), nullptr));
        ASSERT_TRUE(backend_);
        native_ = std::make_unique<NativeGraph>(two_branches);
        graph_ = native_->describe({});
    }

    Result<protocol::OptimizeGraphReply> order(const protocol::Graph& graph, Optimize optimize) {
        chosen = std::move(optimize);
        backend_->iface.graph_optimize = [](ggml_backend_t, ggml_cgraph* built,
                                            ggml_backend_graph_optimize_params* parameters) {
            chosen(built, parameters);
        };
        return better_order(backend_.get(), *session_, graph);
    }

    static void leave(ggml_cgraph* /*graph*/, ggml_backend_graph_optimize_params* /*parameters*/) {}

    struct BackendDeleter {
        void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    };

    static inline Optimize chosen;
    RecordingLog log_;
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<ggml_backend, BackendDeleter> backend_;
    std::unique_ptr<NativeGraph> native_;
    protocol::Graph graph_;
};

TEST_F(BetterOrderTest, BackendsWithoutAnOrderHaveNone) {
    backend_->iface.graph_optimize = nullptr;
    EXPECT_FALSE(reorders_graphs(backend_.get()));
    ASSERT_TRUE(order(graph_, leave));
    EXPECT_TRUE(reorders_graphs(backend_.get()));
}

TEST_F(BetterOrderTest, TellsTheBackendsOrder) {
    ASSERT_EQ(graph_.nodes.size(), 3U);
    const auto swapped = order(graph_, [](ggml_cgraph* graph, auto*) {
        EXPECT_EQ(ggml_graph_n_nodes(graph), 3);
        EXPECT_EQ(ggml_graph_node(graph, 0)->data, nullptr) << "nothing has a place yet";
        std::swap(ggml_graph_nodes(graph)[0], ggml_graph_nodes(graph)[1]);
    });
    ASSERT_TRUE(swapped) << swapped.error().message();
    EXPECT_THAT(swapped->nodes,
                testing::ElementsAre(graph_.nodes[1], graph_.nodes[0], graph_.nodes[2]));
    EXPECT_TRUE(swapped->dependencies.empty());
}

// As in training: ggml takes a leaf with GGML_TENSOR_FLAG_PARAM for a node.
TEST_F(BetterOrderTest, ParametersAreNodesThatComeFirst) {
    ASSERT_EQ(graph_.nodes, (std::vector<uint32_t>{1, 2, 3}));
    graph_.tensors[0].tensor.flags |= GGML_TENSOR_FLAG_PARAM;
    graph_.nodes.insert(graph_.nodes.begin(), 0);
    const auto swapped = order(graph_, [](ggml_cgraph* graph, auto*) {
        std::swap(ggml_graph_nodes(graph)[0], ggml_graph_nodes(graph)[1]);
    });
    ASSERT_TRUE(swapped) << swapped.error().message();
    EXPECT_THAT(swapped->nodes, testing::ElementsAre(0U, 2U, 1U, 3U));
}

TEST_F(BetterOrderTest, TellsWhatHasToStayLonger) {
    const auto ordered = order(graph_, [](ggml_cgraph* graph, auto* parameters) {
        ggml_tensor* const first = ggml_graph_node(graph, 0);
        parameters->add_alloc_dep(parameters->user_data, first, ggml_graph_node(graph, 2));
        parameters->add_alloc_dep(parameters->user_data, first->src[0], first);
    });
    ASSERT_TRUE(ordered) << ordered.error().message();
    EXPECT_EQ(ordered->nodes, graph_.nodes);
    ASSERT_EQ(ordered->dependencies.size(), 2U);
    EXPECT_EQ(ordered->dependencies[0].tensor, graph_.nodes[0]);
    EXPECT_EQ(ordered->dependencies[0].until, graph_.nodes[2]);
    EXPECT_EQ(ordered->dependencies[1].tensor, 0U);
    EXPECT_EQ(ordered->dependencies[1].until, graph_.nodes[0]);
}

TEST_F(BetterOrderTest, TooManyDependenciesAreRefused) {
    const auto add = [](uint32_t count) {
        return [count](ggml_cgraph* graph, ggml_backend_graph_optimize_params* parameters) {
            for (uint32_t i = 0; i < count; ++i)
                parameters->add_alloc_dep(parameters->user_data, ggml_graph_node(graph, 0),
                                          ggml_graph_node(graph, 2));
        };
    };
    EXPECT_TRUE(order(graph_, add(protocol::kMaxAllocDependencies)));
    const auto refused = order(graph_, add(protocol::kMaxAllocDependencies + 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::kRefused);
}

TEST_F(BetterOrderTest, TensorsOfTheBackendsOwnAreRefused) {
    const auto refused = order(graph_, [this](ggml_cgraph* graph, auto*) {
        ggml_graph_nodes(graph)[1] = native_->result;
    });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::kRefused);
}

TEST_F(BetterOrderTest, GraphsAreChecked) {
    protocol::Graph forward = graph_;
    forward.tensors[1].source[0] = 4;
    EXPECT_EQ(order(forward, leave).error().fault(), Fault::kPeer);
    protocol::Graph unknown = graph_;
    unknown.tensors[1].tensor.op = 5000;
    EXPECT_EQ(order(unknown, leave).error().fault(), Fault::kRefused);
    protocol::Graph large = graph_;
    large.nodes.resize(protocol::kMaxOptimizedNodes + 1);
    EXPECT_EQ(order(large, leave).error().fault(), Fault::kPeer);
}

// Places are left out, and those that a guest gives anyway are nobody's.
TEST_F(BetterOrderTest, PlacesAreIgnored) {
    EXPECT_TRUE(order(native_->describe({77, 1}), leave));
}

// Over a ring: the processor's backend has no order of its own.
using BetterOrderCommandTest = ComputeTest;

TEST_F(BetterOrderCommandTest, TheProcessorsDeviceOffersNone) {
    RingGuest other;
    open(2, other);
    const auto opened = other.open_stream({0});
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_FALSE(opened->reorders_graphs);
}

TEST_F(BetterOrderCommandTest, AskingItAllTheSameIsRefused) {
    NativeGraph native(two_branches);
    EXPECT_FALSE(stream.optimize_graph({*put(native.describe({}))}));
    EXPECT_EQ(stream.last_status, protocol::Status::kRefused) << failure();
    EXPECT_TRUE(stream.get_device_memory({0})) << "the context goes on";
}

TEST_F(BetterOrderCommandTest, Ring0HasNoGraphs) {
    EXPECT_FALSE(control.optimize_graph({{kDataRegion, 0, 8}}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

}  // namespace
}  // namespace virtgpu::backend
