#include "frontend/graph_encoder.h"

#include <gtest/gtest.h>

#include "tests/unit/frontend/one_buffer.h"
#include "wire/generated/codec.h"

namespace virtgpu::frontend {
namespace {

using test::ContextDeleter;
using test::OneBuffer;

class GraphEncoderTest : public testing::Test {
 protected:
    ggml_tensor* tensor(const char* name, int64_t columns = 8, int64_t rows = 4) {
        return ggml_set_name(ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, columns, rows),
                             name);
    }

    // Through the wire and back.
    protocol::Graph encode_nodes(const std::vector<const ggml_tensor*>& nodes) {
        encoder_.clear();
        for (const ggml_tensor* node : nodes)
            EXPECT_TRUE(encoder_.add_node(*node));
        wire::Writer writer;
        EXPECT_TRUE(encode(writer, encoder_.graph()));
        auto graph = wire::decode_whole<protocol::Graph>(writer.bytes());
        EXPECT_TRUE(graph);
        EXPECT_EQ(*graph, encoder_.graph());
        return *graph;
    }

    static const protocol::GraphTensor& source(const protocol::Graph& graph, uint32_t node,
                                               size_t index) {
        return graph.tensors.at(graph.tensors.at(graph.nodes.at(node)).source.at(index) - 1);
    }

    std::unique_ptr<ggml_context, ContextDeleter> context_{
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
    OneBuffer buffer_;
    GraphEncoder encoder_{&buffer_};
};

TEST_F(GraphEncoderTest, NodesKeepTheirOrderAndFollowTheirSources) {
    ggml_tensor* const a = tensor("a");
    ggml_tensor* const b = tensor("b");
    ggml_tensor* const sum = ggml_add(context_.get(), a, b);
    ggml_tensor* const product = ggml_mul(context_.get(), sum, a);
    const protocol::Graph graph = encode_nodes({sum, product});

    EXPECT_EQ(graph.tensors.size(), 4U);  // each once
    ASSERT_EQ(graph.nodes.size(), 2U);
    EXPECT_EQ(graph.tensors[graph.nodes[0]].tensor.op, static_cast<uint32_t>(GGML_OP_ADD));
    EXPECT_EQ(graph.tensors[graph.nodes[1]].tensor.op, static_cast<uint32_t>(GGML_OP_MUL));
    EXPECT_EQ(graph.tensors[graph.nodes[1]].source[0], graph.nodes[0] + 1);
    EXPECT_EQ(graph.tensors[graph.nodes[1]].source[1], graph.tensors[graph.nodes[0]].source[0]);
    EXPECT_EQ(graph.tensors[graph.nodes[0]].use_count, 1);
    EXPECT_EQ(source(graph, 0, 0).use_count, 2);
    for (size_t i = 0; i < graph.tensors.size(); ++i)
        for (const uint32_t reference : graph.tensors[i].source)
            EXPECT_LE(reference, i);
}

TEST_F(GraphEncoderTest, SourceFromAnotherSplitIsALeaf) {
    ggml_tensor* const a = tensor("a");
    ggml_tensor* const other_split = ggml_scale(context_.get(), a, 2.0F);
    ggml_tensor* const sum = ggml_add(context_.get(), other_split, a);
    const protocol::Graph graph = encode_nodes({sum});

    EXPECT_EQ(graph.nodes.size(), 1U);
    const protocol::GraphTensor& leaf = source(graph, 0, 0);
    EXPECT_EQ(leaf.tensor.op, static_cast<uint32_t>(GGML_OP_NONE));
    EXPECT_EQ(leaf.source, (std::array<uint32_t, 10>{}));
    EXPECT_EQ(leaf.tensor.op_params, (std::array<int32_t, 16>{}));
}

TEST_F(GraphEncoderTest, NodeThatWasReadBeforeIsSentAgainAsNode) {
    ggml_tensor* const a = tensor("a");
    ggml_tensor* const late = ggml_scale(context_.get(), a, 2.0F);
    ggml_tensor* const early = ggml_add(context_.get(), late, a);
    const protocol::Graph graph = encode_nodes({early, late});

    EXPECT_EQ(source(graph, 0, 0).tensor.op, static_cast<uint32_t>(GGML_OP_NONE));
    EXPECT_EQ(graph.tensors[graph.nodes[1]].tensor.op, static_cast<uint32_t>(GGML_OP_SCALE));
    EXPECT_LT(graph.nodes[0], graph.nodes[1]);
}

TEST_F(GraphEncoderTest, ViewNamesWhatItViews) {
    ggml_tensor* const cache = tensor("cache");
    ggml_tensor* const view = ggml_view_1d(context_.get(), cache, 8, 64);
    ggml_tensor* const view_of_view = ggml_reshape_2d(context_.get(), view, 4, 2);
    const protocol::Graph graph = encode_nodes({view_of_view});

    const protocol::GraphTensor& node = graph.tensors[graph.nodes[0]];
    ASSERT_NE(node.view_source, 0U);
    // ggml names the tensor with the data, not the view in between.
    const protocol::GraphTensor& viewed = graph.tensors[node.view_source - 1];
    EXPECT_EQ(viewed.tensor.ne[1], 4);
    EXPECT_EQ(node.view_offset, 64U);
    EXPECT_EQ(node.tensor.data_offset - viewed.tensor.data_offset, 64U);
}

TEST_F(GraphEncoderTest, ViewThatReachesPastItsSourceNamesNone) {
    ggml_tensor* const cache = tensor("cache", 8, 4);
    ggml_tensor* const view = ggml_view_2d(context_.get(), cache, 4, 4, 32, 0);
    view->nb[1] = 64;  // the last row now begins behind the cache
    const protocol::Graph graph = encode_nodes({view});
    EXPECT_EQ(graph.tensors[graph.nodes[0]].view_source, 0U);
}

TEST_F(GraphEncoderTest, EmptyViewNamesItsEmptySourceAtAnyOffset) {
    ggml_tensor* const experts = tensor("experts", 8, 0);
    ggml_tensor* const second = ggml_view_2d(context_.get(), experts, 4, 0, 32, 16);
    const protocol::Graph graph = encode_nodes({second});
    EXPECT_NE(graph.tensors[graph.nodes[0]].view_source, 0U);
    EXPECT_EQ(graph.tensors[graph.nodes[0]].view_offset, 16U);
}

TEST_F(GraphEncoderTest, FieldsArriveUnchanged) {
    ggml_tensor* const a = ggml_new_tensor_4d(context_.get(), GGML_TYPE_F16, 6, 5, 4, 3);
    ggml_tensor* const permuted = ggml_permute(context_.get(), a, 0, 2, 1, 3);
    ggml_tensor* const scaled = ggml_scale(context_.get(), ggml_cont(context_.get(), permuted), 3);
    ggml_set_output(scaled);
    ggml_set_name(scaled, "scaled-0");
    const protocol::Graph graph = encode_nodes({permuted, scaled});

    const protocol::Tensor& view = graph.tensors[graph.nodes[0]].tensor;
    EXPECT_EQ(view.type, static_cast<uint32_t>(GGML_TYPE_F16));
    EXPECT_EQ(view.ne, (std::array<int64_t, 4>{6, 4, 5, 3}));
    EXPECT_EQ(view.nb, (std::array<uint64_t, 4>{2, 60, 12, 240}));
    const protocol::Tensor& node = graph.tensors[graph.nodes[1]].tensor;
    float factor = 0;
    std::memcpy(&factor, node.op_params.data(), sizeof factor);
    EXPECT_EQ(factor, 3.0F);
    EXPECT_EQ(node.flags & GGML_TENSOR_FLAG_OUTPUT, static_cast<uint32_t>(GGML_TENSOR_FLAG_OUTPUT));
    EXPECT_STREQ(reinterpret_cast<const char*>(node.name.data()), "scaled-0");
    EXPECT_EQ(node.buffer, buffer_.handle);
}

TEST_F(GraphEncoderTest, StridesWithoutMeaningStayInTheBuffer) {
    ggml_tensor* const copy = ggml_new_tensor_4d(context_.get(), GGML_TYPE_F32, 8, 1, 4, 1);
    copy->nb[1] = 1 << 20;  // as in the larger tensor that it is a copy of
    copy->nb[3] = 1 << 20;
    ggml_tensor* const permuted = ggml_new_tensor_4d(context_.get(), GGML_TYPE_F32, 8, 1, 4, 1);
    permuted->nb[1] = 256;  // larger than contiguous, but within the buffer: kept
    const protocol::Graph graph = encode_nodes({ggml_add(context_.get(), copy, permuted)});
    EXPECT_EQ(source(graph, 0, 0).tensor.nb, (std::array<uint64_t, 4>{4, 32, 32, 128}));
    EXPECT_EQ(source(graph, 0, 1).tensor.nb, (std::array<uint64_t, 4>{4, 256, 32, 128}));
}

TEST_F(GraphEncoderTest, UsesInOtherPartsAreTold) {
    ggml_tensor* const first = ggml_scale(context_.get(), tensor("a"), 2.0F);
    ggml_tensor* const second = ggml_scale(context_.get(), first, 2.0F);
    encoder_.clear();
    ASSERT_TRUE(encoder_.add_node(*first) && encoder_.add_node(*second));
    encoder_.set_total_uses(0, 3);
    encoder_.set_total_uses(1, std::nullopt);
    const protocol::Graph& graph = encoder_.graph();
    EXPECT_EQ(graph.tensors[graph.nodes[0]].use_count, 3);
    EXPECT_EQ(graph.tensors[graph.nodes[1]].use_count, 1);
}

TEST_F(GraphEncoderTest, DataElsewhereFails) {
    ggml_tensor* const a = tensor("a");
    ggml_tensor* const node = ggml_scale(context_.get(), a, 2.0F);
    buffer_.refused = a;
    EXPECT_FALSE(encoder_.add_node(*node));
}

TEST_F(GraphEncoderTest, WithoutPlacerNothingIsPlaced) {
    ggml_tensor* const node = ggml_scale(context_.get(), tensor("a"), 2.0F);
    GraphEncoder encoder(nullptr);
    ASSERT_TRUE(encoder.add_node(*node));
    for (const protocol::GraphTensor& entry : encoder.graph().tensors)
        EXPECT_EQ(entry.tensor.buffer, protocol::Handle{});
}

TEST_F(GraphEncoderTest, IsReusedForManyGraphs) {
    for (int i = 0; i < 50; ++i) {
        ggml_tensor* last = tensor("x");
        std::vector<const ggml_tensor*> nodes;
        for (int n = 0; n < i; ++n)
            nodes.push_back(last = ggml_scale(context_.get(), last, 2.0F));
        const protocol::Graph graph = encode_nodes(nodes);
        EXPECT_EQ(graph.nodes.size(), nodes.size());
        EXPECT_EQ(graph.tensors.size(), nodes.empty() ? 0 : nodes.size() + 1);
    }
}

}  // namespace
}  // namespace virtgpu::frontend
