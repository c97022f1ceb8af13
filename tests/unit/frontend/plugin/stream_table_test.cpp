#include "frontend/plugin/stream_table.h"

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

using StreamTableTest = PluginTest;

TEST_F(StreamTableTest, ComputesAndTellsTheUsageOfBuffers) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    const GgmlBuffer buffer = allocate();
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    ggml_cgraph* const graph = graph_of(sum);
    const GgmlBackend backend = open_backend();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
    const auto told = host_.requests<protocol::SetBufferUsageRequest>(Command::kSetBufferUsage);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].usage, static_cast<uint32_t>(GGML_BACKEND_BUFFER_USAGE_WEIGHTS));
    EXPECT_EQ(host_.count(Command::kDefineGraph), 1) << "a graph travels once";
    EXPECT_EQ(host_.count(Command::kRunGraph), 3);
    const protocol::Graph there = host_.graph();
    EXPECT_EQ(there.nodes.size(), 1U);
    EXPECT_EQ(there.tensors[there.nodes[0]].tensor.buffer, (protocol::Handle{0, 1}));
}

TEST_F(StreamTableTest, GraphWithDataElsewhereFailsWithAMessage) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    ggml_cgraph* const graph = graph_of(sum);
    alignas(64) std::array<float, 16> here{};
    const GgmlBuffer buffer(ggml_backend_cpu_buffer_from_ptr(here.data(), sizeof here));
    a->buffer = buffer.get();
    a->data = here.data();
    const GgmlBackend backend = open_backend();
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_FAILED);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("not in a buffer of this device"));
    EXPECT_EQ(host_.count(Command::kRunGraph), 0);
}

TEST_F(StreamTableTest, ViewsOfDataElsewhereAreLeftOutOfTheGraph) {
    ggml_tensor* const elsewhere = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const view = ggml_view_1d(context_.get(), elsewhere, 4, 0);
    ggml_tensor* const reshaped = ggml_reshape_2d(context_.get(), elsewhere, 4, 2);
    alignas(64) std::array<float, 16> here{};
    const GgmlBuffer other(ggml_backend_cpu_buffer_from_ptr(here.data(), sizeof here));
    for (ggml_tensor* tensor : {elsewhere, view, reshaped}) {
        tensor->buffer = other.get();
        tensor->data = here.data();
    }
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    ggml_tensor* const sum_view = ggml_view_1d(context_.get(), sum, 4, 0);
    ggml_tensor* const scaled = ggml_scale(context_.get(), sum_view, 2.0F);
    const GgmlBuffer buffer = allocate();
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, view);
    ggml_build_forward_expand(graph, sum);
    ggml_build_forward_expand(graph, reshaped);
    ggml_build_forward_expand(graph, scaled);
    const GgmlBackend backend = open_backend();
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);

    // The views of our own data stay, and each count of uses is with its node.
    const protocol::Graph there = host_.graph();
    const auto node = [&](size_t i) { return there.tensors.at(there.nodes.at(i)); };
    ASSERT_EQ(there.nodes.size(), 3U);
    EXPECT_EQ(node(0).tensor.op, static_cast<uint32_t>(GGML_OP_ADD));
    EXPECT_EQ(node(0).use_count, 1);
    EXPECT_EQ(node(1).tensor.op, static_cast<uint32_t>(GGML_OP_VIEW));
    EXPECT_EQ(node(1).use_count, 1);
    EXPECT_EQ(node(2).tensor.op, static_cast<uint32_t>(GGML_OP_SCALE));
    EXPECT_EQ(node(2).use_count, 0);
}

TEST_F(StreamTableTest, LargeGraphsShareARegion) {
    constexpr size_t kNodes = 12000;
    const GgmlContext context(
        ggml_init({.mem_size = 16 << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_tensor* last = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 8);
    for (size_t i = 0; i < kNodes; ++i)
        last = ggml_scale(context.get(), last, 2.0F);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    ggml_cgraph* const graph = ggml_new_graph_custom(context.get(), 2 * kNodes, false);
    ggml_build_forward_expand(graph, last);
    const GgmlBackend backend = open_backend();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
        // Another name for each node: too much for an edit.
        for (int node = 0; node < ggml_graph_n_nodes(graph); ++node)
            ggml_set_name(ggml_graph_node(graph, node), std::to_string(i).c_str());
    }
    EXPECT_EQ(host_.count(Command::kDefineGraph), 3);
    EXPECT_EQ(host_.graph().nodes.size(), kNodes);
    EXPECT_EQ(host_.graph_regions().size(), 1U);
}

TEST_F(StreamTableTest, AsynchronousTransfersWaitOnce) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    ggml_tensor* const b = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    const GgmlBuffer buffer = allocate();
    const GgmlBackend backend = open_backend();
    std::array<int32_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_set_async(backend.get(), a, values.data(), 0, sizeof values);
    values.fill(9);  // its bytes were taken
    ggml_backend_tensor_set_async(backend.get(), b, values.data(), 0, sizeof values);
    std::array<int32_t, 8> first{};
    std::array<int32_t, 8> second{};
    ggml_backend_tensor_get_async(backend.get(), a, first.data(), 0, sizeof first);
    ggml_backend_tensor_get_async(backend.get(), b, second.data(), 0, sizeof second);
    ggml_backend_synchronize(backend.get());
    EXPECT_THAT(first, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
    EXPECT_THAT(second, testing::Each(9));
}

TEST_F(StreamTableTest, WhatWasAskedForIsZeroWhenTheHostIsLost) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    const GgmlBuffer buffer = allocate();
    const GgmlBackend backend = open_backend();
    stop_host();
    std::array<int32_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_get_async(backend.get(), a, values.data(), 0, sizeof values);
    ggml_backend_synchronize(backend.get());
    EXPECT_THAT(values, testing::Each(0));
}

TEST_F(StreamTableTest, StreamsComeAndGo) {
    for (int i = 0; i < 200; ++i) {
        const GgmlBackend one(ggml_backend_dev_init(device_, nullptr));
        const GgmlBackend two(ggml_backend_dev_init(device_, nullptr));
        ASSERT_TRUE(one && two);
    }
    std::vector<GgmlBackend> many;
    while (ggml_backend_t backend = ggml_backend_dev_init(device_, nullptr))
        many.emplace_back(backend);
    EXPECT_EQ(many.size(), protocol::kMaxRings - 1);
}

}  // namespace
}  // namespace virtgpu::frontend
