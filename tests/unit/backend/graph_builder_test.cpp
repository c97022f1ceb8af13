#include "backend/graph_builder.h"

#include <gtest/gtest.h>

#include "backend/ggml_vocabulary.h"
#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::backend {
namespace {

ggml_tensor* chain(ggml_context* context) {
    ggml_tensor* const a = ggml_new_tensor_1d(context, GGML_TYPE_F32, 16);
    ggml_tensor* const b = ggml_new_tensor_1d(context, GGML_TYPE_F32, 16);
    ggml_set_name(a, "first");
    ggml_tensor* sum = ggml_add(context, a, b);
    for (int i = 0; i < 20; ++i)
        sum = ggml_mul(context, sum, i % 2 == 0 ? a : b);
    return sum;
}

class GraphBuilderTest : public ::testing::Test {
 protected:
    void SetUp() override {
        HostOptions options;
        options.catalogue.backends = {"cpu"};
        catalogue_ = *Catalogue::load(options.catalogue, log_);
        session_ = std::make_unique<Session>(
            1, *catalogue_, std::make_shared<TestRegions>(), Limits(), std::chrono::microseconds(0),
            std::make_shared<MemoryAccount>(UINT64_MAX), std::make_shared<GraphUids>(0),
            /*trace=*/nullptr, log_);
        auto buffer = Buffer::allocate(*catalogue_->device(0), size_t{1} << 20, session_->memory());
        buffer_ = *session_->buffers().add(*buffer);
        vocabulary_ =
            *validate::Vocabulary::negotiate(catalogue_->vocabulary(), hello_of_this_ggml());
    }

    // The buffers must outlive the graph, so the caller brings them.
    validate::ValidGraph check(const protocol::Graph& graph, HeldBuffers& buffers) {
        const validate::TensorValidator validator(vocabulary_, buffers);
        return *validate::check_graph(validator, graph);
    }

    RecordingLog log_;
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Session> session_;
    protocol::Handle buffer_;
    validate::Vocabulary vocabulary_;
};

TEST_F(GraphBuilderTest, KeepsOrderNamesAndPlaces) {
    NativeGraph native(chain);
    HeldBuffers buffers(*session_);
    GraphBuilder builder;
    const auto built = builder.build_graph(check(native.describe(buffer_), buffers), buffers);
    ASSERT_TRUE(built) << built.error().message();
    ASSERT_EQ(ggml_graph_n_nodes(*built), ggml_graph_n_nodes(native.graph));
    const Buffer& buffer = buffers.get(buffer_);
    for (int i = 0; i < ggml_graph_n_nodes(*built); ++i) {
        const ggml_tensor* const node = ggml_graph_node(*built, i);
        const ggml_tensor* const original = ggml_graph_node(native.graph, i);
        EXPECT_EQ(node->op, original->op);
        EXPECT_EQ(node->flags, original->flags);
        EXPECT_EQ(node->data, buffer.address(native.offset_of(original)));
        EXPECT_EQ(node->buffer, buffer.get());
    }
    EXPECT_STREQ(ggml_graph_node(*built, 0)->src[0]->name, "first");
}

TEST_F(GraphBuilderTest, APartOfAGraphGetsLeavesAndOutputs) {
    NativeGraph native(chain);
    protocol::Graph graph = native.describe(buffer_);
    // The middle of three parts: nodes 5 to 9, whose sources before it are nodes of another part.
    graph.nodes.assign(graph.nodes.begin() + 5, graph.nodes.begin() + 10);
    graph.tensors[graph.nodes.back()].use_count = 1;
    graph.tensors[graph.nodes.front()].use_count = 1;
    HeldBuffers buffers(*session_);
    GraphBuilder builder;
    const auto built = builder.build_graph(check(graph, buffers), buffers);
    ASSERT_TRUE(built) << built.error().message();
    ASSERT_EQ(ggml_graph_n_nodes(*built), 5);
    EXPECT_EQ(ggml_graph_node(*built, 0)->src[0]->op, GGML_OP_NONE);
    EXPECT_EQ(ggml_graph_node(*built, 0)->flags & GGML_TENSOR_FLAG_OUTPUT, 0);
    EXPECT_EQ(ggml_graph_node(*built, 4)->flags & GGML_TENSOR_FLAG_OUTPUT, GGML_TENSOR_FLAG_OUTPUT);
}

TEST_F(GraphBuilderTest, NodesThatTheGuestSkipsStaySkipped) {
    NativeGraph native(chain);
    protocol::Graph graph = native.describe(buffer_);
    graph.tensors[graph.nodes[3]].tensor.flags = 0;
    HeldBuffers buffers(*session_);
    GraphBuilder builder;
    const auto built = builder.build_graph(check(graph, buffers), buffers);
    ASSERT_TRUE(built);
    EXPECT_EQ(ggml_graph_node(*built, 3)->flags, 0);
    EXPECT_EQ(ggml_graph_node(*built, 4)->flags, GGML_TENSOR_FLAG_COMPUTE);
}

TEST_F(GraphBuilderTest, LeavesAmongTheNodesAreNotComputed) {
    NativeGraph native(chain);
    protocol::Graph graph = native.describe(buffer_);
    graph.nodes.insert(graph.nodes.begin(), 0);
    graph.tensors[0].tensor.flags = GGML_TENSOR_FLAG_PARAM;
    HeldBuffers buffers(*session_);
    GraphBuilder builder;
    const auto built = builder.build_graph(check(graph, buffers), buffers);
    ASSERT_TRUE(built) << built.error().message();
    EXPECT_EQ(ggml_graph_n_nodes(*built), ggml_graph_n_nodes(native.graph));
    EXPECT_EQ(ggml_graph_node(*built, 0)->src[0]->flags, GGML_TENSOR_FLAG_PARAM);
}

TEST_F(GraphBuilderTest, TheSameStructureGetsTheSameAddresses) {
    NativeGraph native(chain);
    HeldBuffers buffers(*session_);
    GraphBuilder builder;
    const auto valid = check(native.describe(buffer_), buffers);
    const ggml_tensor* const first = ggml_graph_node(*builder.build_graph(valid, buffers), 0);
    EXPECT_EQ(ggml_graph_node(*builder.build_graph(valid, buffers), 0), first);
}

}  // namespace
}  // namespace virtgpu::backend
