#include "backend/index_check.h"

#include <gtest/gtest.h>

#include "tests/unit/backend/compute_fixture.h"

namespace virtgpu::backend {
namespace {

class IndexCheckTest : public ComputeTest {
 protected:
    // Computes the node with one of its indices replaced.
    wire::Result<void> compute_with(ggml_tensor* (*build)(ggml_context*), size_t source,
                                    int32_t index, bool is_computed = true) {
        const NativeGraph native(build);
        std::vector<std::byte> bytes(native.bytes(), native.bytes() + native.size());
        std::memcpy(bytes.data() + native.offset_of(native.result->src[source]), &index,
                    sizeof index);
        const protocol::Handle buffer = alloc(native.size());
        TRY(data().copy_in(0, bytes));
        TRY(control.set_tensor(
            {all_of(buffer, native.size()), 0, {kDataRegion, 0, native.size()}}));
        protocol::Graph graph = native.describe(buffer);
        if (!is_computed)
            graph.tensors[graph.nodes.back()].tensor.flags &= ~validate::kComputed;
        return compute(std::move(graph));
    }
};

ggml_tensor* rows(ggml_context* context) {
    return ggml_get_rows(context, ggml_new_tensor_2d(context, GGML_TYPE_F32, 8, 4),
                         ggml_new_tensor_1d(context, GGML_TYPE_I32, 3));
}

ggml_tensor* scan(ggml_context* context) {
    const auto make = [context](int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3) {
        return ggml_new_tensor_4d(context, GGML_TYPE_F32, ne0, ne1, ne2, ne3);
    };
    return ggml_ssm_scan(context, make(16, 8, 4, 5), make(8, 4, 7, 2), make(4, 7, 2, 1),
                         make(1, 4, 1, 1), make(16, 2, 7, 2), make(16, 2, 7, 2),
                         ggml_new_tensor_1d(context, GGML_TYPE_I32, 2), 1);
}

TEST_F(IndexCheckTest, RowsThatAreThere) {
    const auto computed = compute_with(rows, 1, 3);
    EXPECT_TRUE(computed) << computed.error().message();
}

// ggml's kernel would end the process.
TEST_F(IndexCheckTest, RowsThatAreNotThere) {
    ASSERT_FALSE(compute_with(rows, 1, 4));
    EXPECT_NE(stream.last_message.find("is not below 4"), std::string::npos) << stream.last_message;
}

// A branch of the graph that llama.cpp does not take, and whose inputs it does not set.
TEST_F(IndexCheckTest, RowsOfANodeThatIsNotComputedAreNotLookedAt) {
    const auto computed = compute_with(rows, 1, 4, /*is_computed=*/false);
    EXPECT_TRUE(computed) << computed.error().message();
}

TEST_F(IndexCheckTest, NegativeRows) {
    EXPECT_FALSE(compute_with(rows, 1, -1));
}

// ggml issue 25765: the kernel would read there.
TEST_F(IndexCheckTest, Issue25765SequencesThatAreNotThere) {
    EXPECT_FALSE(compute_with(scan, 6, 1 << 20));
}

TEST_F(IndexCheckTest, SequencesThatAreThere) {
    const auto computed = compute_with(scan, 6, 4);
    EXPECT_TRUE(computed) << computed.error().message();
}

// Nobody can look at them: they are made while the graph runs.
TEST_F(IndexCheckTest, IndicesThatTheGraphComputesAreNotLookedAt) {
    expect_same_as_native([](ggml_context* context) {
        ggml_tensor* const table = ggml_new_tensor_2d(context, GGML_TYPE_F32, 8, 4);
        ggml_tensor* const order = ggml_argsort(
            context, ggml_new_tensor_1d(context, GGML_TYPE_F32, 4), GGML_SORT_ORDER_ASC);
        return ggml_get_rows(context, table, order);
    });
}

// As llama.cpp's graphs do not, but a program may: the indices are copied over a tensor that the
// graph reads.
ggml_tensor* rows_by_copied_indices(ggml_context* context) {
    ggml_tensor* const table = ggml_new_tensor_2d(context, GGML_TYPE_F32, 8, 4);
    ggml_tensor* const indices = ggml_new_tensor_1d(context, GGML_TYPE_I32, 4);
    ggml_tensor* const copied =
        ggml_cpy(context, ggml_new_tensor_1d(context, GGML_TYPE_I32, 4), indices);
    return ggml_get_rows(context, ggml_add(context, table, ggml_get_rows(context, table, copied)),
                         indices);
}

TEST_F(IndexCheckTest, IndicesThatTheGraphWritesOverALeafAreNotLookedAt) {
    const auto computed = compute_with(rows_by_copied_indices, 1, 99);
    EXPECT_TRUE(computed) << computed.error().message();
}

class LimitedIndexCheckTest : public IndexCheckTest {
 protected:
    LimitedIndexCheckTest() { limits_.graph_time = std::chrono::milliseconds(300); }
};

// Strides of 0 let a few bytes be looked at for minutes.
TEST_F(LimitedIndexCheckTest, ALookIsPartOfTheTimeThatAGraphMayTake) {
    const NativeGraph native([](ggml_context* context) {
        return ggml_add_id(context, ggml_new_tensor_3d(context, GGML_TYPE_F32, 8, 64, 1),
                           ggml_new_tensor_2d(context, GGML_TYPE_F32, 8, 4),
                           ggml_new_tensor_2d(context, GGML_TYPE_I32, 64, 1));
    });
    const protocol::Handle buffer = alloc(native.size());
    write(buffer, {native.bytes(), native.size()});
    protocol::Graph graph = native.describe(buffer);
    protocol::Tensor& indices =
        graph.tensors[graph.tensors[graph.nodes.back()].source[2] - 1].tensor;
    indices.ne[2] = 1 << 30;
    indices.nb = {4, 0, 0, 0};
    const auto started = std::chrono::steady_clock::now();
    EXPECT_FALSE(compute(graph));
    EXPECT_NE(stream.last_message.find("took too long"), std::string::npos) << stream.last_message;
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
}

}  // namespace
}  // namespace virtgpu::backend
