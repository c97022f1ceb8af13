// Graphs sent over a ring give bit for bit what ggml gives itself.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/backend/compute_fixture.h"

namespace virtgpu::backend {
namespace {

ggml_tensor* attention_like(ggml_context* context) {
    ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 48);
    ggml_tensor* const input = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 5);
    ggml_tensor* const bias = ggml_new_tensor_1d(context, GGML_TYPE_F32, 48);
    return ggml_soft_max(context, ggml_add(context, ggml_mul_mat(context, weights, input), bias));
}

ggml_tensor* views_and_variants(ggml_context* context) {
    ggml_tensor* const input = ggml_new_tensor_2d(context, GGML_TYPE_F32, 32, 8);
    ggml_tensor* const upper = ggml_view_2d(context, input, 32, 4, input->nb[1], 0);
    ggml_tensor* const lower = ggml_view_2d(context, input, 32, 4, input->nb[1], 4 * input->nb[1]);
    ggml_tensor* const turned =
        ggml_cont(context, ggml_transpose(context, ggml_silu(context, lower)));
    ggml_tensor* const back = ggml_reshape_2d(context, turned, 32, 4);
    return ggml_swiglu_split(context, ggml_mul(context, upper, back), upper);
}

TEST_F(ComputeTest, MatrixProductIsBitExact) {
    expect_same_as_native(attention_like);
}

TEST_F(ComputeTest, ViewsUnaryAndGluAreBitExact) {
    expect_same_as_native(views_and_variants);
}

TEST_F(ComputeTest, CountsWhatItComputes) {
    expect_same_as_native(attention_like);
    const ContextSummary summary = context_->summary();
    EXPECT_EQ(summary.graphs, 1U);
    EXPECT_EQ(summary.nodes, 3U);
    EXPECT_EQ(summary.bytes_in, size_t{1} << 20);
    EXPECT_EQ(summary.bytes_out, size_t{1} << 20);
    EXPECT_EQ(summary.defined, 1U);
    EXPECT_EQ(summary.edited, 0U);
    EXPECT_EQ(summary.requests, 8U);
    EXPECT_GT(summary.graph_bytes, 5 * protocol::GraphTensor::kEncodedBytes);
    EXPECT_EQ(summary.stalls, 0U) << "a processor computes at once";
}

// The guest's number of the budget, counted by the host.
TEST_F(ComputeTest, AnUnchangedGraphTakes24Bytes) {
    ASSERT_TRUE(define(1, {}));
    const ContextSummary before = context_->summary();
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(stream.run_graph({1}));
    const ContextSummary after = context_->summary();
    EXPECT_EQ(after.request_bytes - before.request_bytes, 3U * 24);
    EXPECT_EQ(after.graph_bytes, before.graph_bytes);
}

TEST_F(ComputeTest, AnEmptyGraphSucceeds) {
    EXPECT_TRUE(compute({}));
}

TEST_F(ComputeTest, UnsupportedOperationIsRefusedWithItsName) {
    // The CPU backend multiplies blocks with floats alone.
    const NativeGraph halves([](ggml_context* context) {
        return ggml_mul_mat(context, ggml_new_tensor_1d(context, GGML_TYPE_Q8_0, 32),
                            ggml_new_tensor_1d(context, GGML_TYPE_F16, 32));
    });
    // A guest may have foretold it and never run it.
    EXPECT_TRUE(define(1, halves.describe(alloc(halves.size()))));
    EXPECT_FALSE(stream.run_graph({1}));
    EXPECT_EQ(stream.last_status, protocol::Status::kRefused);
    EXPECT_NE(stream.last_message.find("does not support MUL_MAT"), std::string::npos)
        << stream.last_message;
    // The stream goes on.
    ASSERT_TRUE(stream.drop_graph({1}));
    const NativeGraph native(attention_like);
    EXPECT_TRUE(compute(native.describe(alloc(native.size()))));
}

TEST_F(ComputeTest, EditsChangeTheTensorsThatTheyName) {
    NativeGraph native(attention_like);
    const protocol::Handle one = alloc(native.size());
    const protocol::Handle other = alloc(native.size());
    const protocol::RegionSpan everything{kDataRegion, 0, native.size()};
    ASSERT_TRUE(define(1, native.describe(one)));
    ASSERT_TRUE(data().copy_in(0, {native.bytes(), native.size()}));
    ASSERT_TRUE(control.set_tensor({all_of(other, native.size()), 0, everything}));
    // All tensors move to the other buffer.
    const protocol::Graph moved = native.describe(other);
    protocol::GraphEdit edit;
    for (uint32_t i = 0; i < moved.tensors.size(); ++i)
        edit.changes.push_back({i, moved.tensors[i]});
    ASSERT_TRUE(stream.edit_graph({1, *put(edit)}));
    ASSERT_TRUE(control.free_buffer({one}));
    ASSERT_TRUE(stream.run_graph({1}));

    ASSERT_EQ(native.compute(), GGML_STATUS_SUCCESS);
    ASSERT_TRUE(control.get_tensor({all_of(other, native.size()), 0, everything}));
    std::vector<std::byte> remote(native.size());
    ASSERT_TRUE(data().copy_out(0, remote));
    EXPECT_EQ(std::memcmp(remote.data(), native.bytes(), remote.size()), 0);
    EXPECT_EQ(context_->summary().edited, 1U);
}

// Sixteen numbers from a place in more of them, times a factor.
std::function<ggml_tensor*(ggml_context*)> scaled_part(size_t first, float factor) {
    return [=](ggml_context* context) {
        ggml_tensor* const all = ggml_new_tensor_1d(context, GGML_TYPE_F32, 64);
        ggml_tensor* const part = ggml_view_1d(context, all, 16, first * sizeof(float));
        return ggml_scale(context, part, factor);
    };
}

// What an edit exchanges in place is checked and computed as if the graph had come whole.
TEST_F(ComputeTest, EditsInPlace) {
    const NativeGraph first(scaled_part(0, 2));
    NativeGraph second(scaled_part(32, 3));
    const protocol::Handle buffer = alloc(first.size());
    write(buffer, {first.bytes(), first.size()});
    const protocol::Graph before = first.describe(buffer);
    const protocol::Graph after = second.describe(buffer);
    protocol::GraphEdit edit;
    for (uint32_t i = 0; i < after.tensors.size(); ++i)
        if (!(after.tensors[i] == before.tensors[i]))
            edit.changes.push_back({i, after.tensors[i]});
    ASSERT_EQ(edit.changes.size(), 2U);
    ASSERT_TRUE(define(1, before));
    ASSERT_TRUE(stream.edit_graph({1, *put(edit)}));
    ASSERT_TRUE(stream.run_graph({1}));
    ASSERT_EQ(second.compute(), GGML_STATUS_SUCCESS);
    const auto remote = read(buffer, first.size());
    const uint64_t result = second.offset_of(second.result);
    EXPECT_EQ(std::memcmp(remote.data() + result, second.bytes() + result, 16 * sizeof(float)), 0);
}

TEST_F(ComputeTest, EditsInPlaceThatNoGraphMayHave) {
    NativeGraph native(scaled_part(32, 3));
    const protocol::Graph graph = native.describe(alloc(native.size()));
    const auto view = std::find_if(graph.tensors.begin(), graph.tensors.end(),
                                   [](const auto& tensor) { return tensor.view_source != 0; });
    ASSERT_NE(view, graph.tensors.end());
    const uint32_t viewed = view->view_source - 1;
    protocol::GraphTensor elsewhere = graph.tensors[viewed];
    elsewhere.tensor.data_offset += 64;
    ASSERT_TRUE(define(1, graph));
    EXPECT_FALSE(stream.edit_graph({1, *put(protocol::GraphEdit{{{viewed, elsewhere}}})}));
    EXPECT_NE(failure().find("view lies elsewhere"), std::string::npos) << failure();
}

// Backends look at the buffers of a node's sources when they are asked whether they support it.
TEST_F(ComputeTest, EditsInPlaceOfAGraphWhoseBufferWasFreed) {
    NativeGraph native(scaled_part(32, 3));
    const protocol::Handle kept = alloc(native.size());
    const protocol::Handle freed = alloc(native.size());
    protocol::Graph graph = native.describe(freed);
    protocol::GraphTensor& result = graph.tensors.back();
    result.tensor.buffer = kept;
    ASSERT_TRUE(define(1, graph));
    ASSERT_TRUE(control.free_buffer({freed}));
    result.tensor.op_params[0] = 0;
    const auto position = static_cast<uint32_t>(graph.tensors.size() - 1);
    EXPECT_FALSE(stream.edit_graph({1, *put(protocol::GraphEdit{{{position, result}}})}));
    EXPECT_NE(failure().find("buffer was freed"), std::string::npos) << failure();
}

// The host divided by the number of matrices.
TEST_F(ComputeTest, ProductsWithWeightsOfNoElements) {
    const NativeGraph native([](ggml_context* context) {
        ggml_tensor* const weights = ggml_new_tensor_4d(context, GGML_TYPE_F32, 32, 1, 1, 1);
        ggml_tensor* const input = ggml_new_tensor_4d(context, GGML_TYPE_F32, 32, 1, 1, 1);
        return ggml_mul_mat(context, weights, input);
    });
    protocol::Graph graph = native.describe(alloc(native.size()));
    graph.tensors[0].tensor.ne[2] = 0;
    ASSERT_TRUE(define(1, graph));
    EXPECT_FALSE(stream.run_graph({1}));
    EXPECT_EQ(stream.last_status, protocol::Status::kRefused);
}

// What a guest foretells and then does not run costs it nothing.
TEST_F(ComputeTest, EditsThatMakeAGraphThatCannotBeComputed) {
    const NativeGraph native([](ggml_context* context) {
        ggml_tensor* const weights = ggml_new_tensor_1d(context, GGML_TYPE_F32, 32);
        ggml_tensor* const input = ggml_new_tensor_1d(context, GGML_TYPE_F32, 32);
        return ggml_mul_mat(context, weights, input);
    });
    const protocol::Graph graph = native.describe(alloc(native.size()));
    ASSERT_TRUE(define(1, graph));
    protocol::GraphTensor empty = graph.tensors[0];
    empty.tensor.ne[2] = 0;
    ASSERT_TRUE(stream.edit_graph({1, *put(protocol::GraphEdit{{{0, empty}}})}));
    EXPECT_FALSE(stream.run_graph({1}));
    EXPECT_EQ(stream.last_status, protocol::Status::kRefused);
    ASSERT_TRUE(stream.edit_graph({1, *put(protocol::GraphEdit{{{0, graph.tensors[0]}}})}));
    EXPECT_TRUE(stream.run_graph({1}));
}

TEST_F(ComputeTest, EditsOfNoTensor) {
    NativeGraph native(attention_like);
    const protocol::Graph graph = native.describe(alloc(native.size()));
    ASSERT_TRUE(define(1, graph));
    const auto count = static_cast<uint32_t>(graph.tensors.size());
    EXPECT_FALSE(stream.edit_graph({1, *put(protocol::GraphEdit{{{count, graph.tensors[0]}}})}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

TEST_F(ComputeTest, ABufferFreedBeforeTheDefinition) {
    NativeGraph native(attention_like);
    const protocol::Handle buffer = alloc(native.size());
    ASSERT_TRUE(control.free_buffer({buffer}));
    EXPECT_FALSE(define(1, native.describe(buffer)));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("DEFINE_GRAPH"), std::string::npos) << failure();
}

// Also: the graph does not keep the buffer's memory.
TEST_F(ComputeTest, ABufferFreedAfterTheDefinition) {
    NativeGraph native(attention_like);
    const protocol::Handle buffer = alloc(native.size());
    ASSERT_TRUE(define(1, native.describe(buffer)));
    ASSERT_TRUE(control.free_buffer({buffer}));
    EXPECT_FALSE(stream.run_graph({1}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("buffer was freed"), std::string::npos) << failure();
}

TEST_F(ComputeTest, GraphsThatAreNotThere) {
    EXPECT_FALSE(stream.run_graph({3}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

TEST_F(ComputeTest, ANumberIsDefinedOnce) {
    ASSERT_TRUE(define(1, {}));
    EXPECT_FALSE(define(1, {}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

class SmallTableTest : public ComputeTest {
 protected:
    SmallTableTest() { limits_ = {.graphs = 2}; }
};

TEST_F(SmallTableTest, TheHostForgetsNoGraphAndTakesNoMoreThanItSaid) {
    ASSERT_TRUE(define(1, {}));
    ASSERT_TRUE(define(2, {}));
    ASSERT_TRUE(stream.drop_graph({1}));
    ASSERT_TRUE(define(3, {}));
    ASSERT_TRUE(stream.run_graph({2}));
    EXPECT_FALSE(define(4, {}));
    EXPECT_NE(failure().find("beside 2 graphs"), std::string::npos) << failure();
}

TEST_F(ComputeTest, GraphBytesOutsideTheRegion) {
    EXPECT_FALSE(stream.define_graph({1, {kDataRegion, kDataBytes - 4, 8}}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

size_t resident_pages() {
    size_t total = 0;
    size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident;
}

TEST_F(ComputeTest, TenThousandGraphsLeaveNothingBehind) {
    NativeGraph native(attention_like);
    const protocol::Graph graph = native.describe(alloc(native.size()));
    for (int i = 0; i < 1000; ++i)
        ASSERT_TRUE(compute(graph));
    const size_t before = resident_pages();
    for (int i = 0; i < 10000; ++i)
        ASSERT_TRUE(compute(graph));
    // A leak of 32 bytes per graph would be 78 pages.
    EXPECT_LT(resident_pages(), before + 64);
}

}  // namespace
}  // namespace virtgpu::backend
