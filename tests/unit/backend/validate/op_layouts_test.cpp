// What kernels rely on where a stride leads nowhere, and of what they copy.
#include <set>

#include "tests/unit/backend/validate/op_rules_fixture.h"

namespace virtgpu::backend {
namespace {

constexpr uint64_t kFar = 1 << 15;

// The result and all sources with more than one element.
std::vector<protocol::Tensor*> operands(std::vector<protocol::GraphTensor>& tensors) {
    std::vector<protocol::Tensor*> operands;
    for (protocol::GraphTensor& entry : tensors)
        if (entry.tensor.ne != std::array<int64_t, 4>{1, 1, 1, 1})
            operands.push_back(&entry.tensor);
    return operands;
}

// The same elements, of which this dimension has one and the next all that both had.
void fold(protocol::Tensor& tensor, size_t dimension) {
    tensor.ne[dimension + 1] *= tensor.ne[dimension];
    tensor.ne[dimension] = 1;
    lay_out(tensor);
}

class FoldedTest : public OpRulesTest {
 protected:
    // With one element in a dimension the others are found with its stride all the same.
    void expect_stride_looked_at(const std::set<ggml_op>& ops, size_t dimension,
                                 const std::set<ggml_op>& of_results_alone = {}) {
        std::set<ggml_op> tried;
        for (const ggml_tensor* const node : nodes_) {
            if (!ops.contains(node->op))
                continue;
            tried.insert(node->op);
            auto tensors = describe(node);
            for (protocol::Tensor* const operand : operands(tensors))
                fold(*operand, dimension);
            EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
            for (protocol::Tensor* const operand : operands(tensors)) {
                if (of_results_alone.contains(node->op) && operand != &last(tensors).tensor)
                    continue;
                const uint64_t stride = std::exchange(operand->nb[dimension], kFar);
                EXPECT_NE(outcome(tensors), "valid")
                    << ggml_op_desc(node) << " tensor " << operand - &tensors.front().tensor;
                operand->nb[dimension] = stride;
            }
        }
        EXPECT_EQ(tried, ops);
    }
};

// Kernels count rows through all dimensions with the second stride, up to 999 buffers too far.
TEST_F(FoldedTest, SecondStridesLeadToAllRows) {
    expect_stride_looked_at(
        {GGML_OP_SCALE, GGML_OP_LEAKY_RELU, GGML_OP_SILU_BACK, GGML_OP_GLU, GGML_OP_ARGSORT,
         GGML_OP_TOP_K, GGML_OP_SOFT_MAX_BACK, GGML_OP_CROSS_ENTROPY_LOSS,
         GGML_OP_CROSS_ENTROPY_LOSS_BACK, GGML_OP_POOL_1D, GGML_OP_CLAMP},
        1);
}

TEST_F(FoldedTest, ThirdStridesLeadToAllMatrices) {
    expect_stride_looked_at({GGML_OP_DIAG_MASK_INF, GGML_OP_DIAG_MASK_ZERO, GGML_OP_POOL_2D_BACK},
                            2,
                            {GGML_OP_DIAG_MASK_INF, GGML_OP_DIAG_MASK_ZERO, GGML_OP_POOL_2D_BACK});
}

// A loop that goes on to the last byte, in steps of nothing.
TEST_F(OpRulesTest, PoolingComesToAnEnd) {
    int tried = 0;
    for (const ggml_tensor* const node : nodes_)
        if (node->op == GGML_OP_POOL_2D || node->op == GGML_OP_POOL_2D_BACK) {
            auto tensors = describe(node);
            protocol::Tensor& counted =
                node->op == GGML_OP_POOL_2D ? source(tensors, 0) : last(tensors).tensor;
            for (protocol::GraphTensor& entry : tensors)
                entry.tensor.ne[2] = 1;
            EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
            for (const uint64_t stride : {0U, 4U}) {
                counted.nb[2] = stride;
                EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
            }
            ++tried;
        }
    EXPECT_EQ(tried, 2);
}

TEST_F(OpRulesTest, MatricesWithTheNextOnesStrideAreEvenlySpaced) {
    auto tensors = describe(ggml_pool_2d(Maker(context_), Maker(context_).f32(8, 8, 1, 3),
                                         GGML_OP_POOL_MAX, 1, 1, 1, 1, 0, 0));
    EXPECT_EQ(outcome(tensors), "valid");
    source(tensors, 0).nb[2] *= 2;  // 2 of 3 are past the end
    EXPECT_NE(outcome(tensors), "valid");
}

// ggml asserts it also where it leads nowhere.
TEST_F(OpRulesTest, FirstStridesOfSingleColumnsAreAsserted) {
    struct Case {
        Sample sample;
        std::optional<size_t> source;  // or the result
    };
    const auto attention = [](const Maker& m) {
        return ggml_flash_attn_ext(m, m.f32(32, 3, 8), m.f16(32, 33, 2), m.f16(1, 33, 2), nullptr,
                                   1, 0, 0);
    };
    const auto loss = [](const Maker& m) {
        return ggml_cross_entropy_loss(m, m.f32(1, 6), m.f32(1, 6));
    };
    const auto masked = [](const Maker& m) { return ggml_diag_mask_inf(m, m.f32(1, 6), 2); };
    const auto cleared = [](const Maker& m) { return ggml_diag_mask_zero(m, m.f32(1, 6), 2); };
    const auto image = [](const Maker& m) {
        std::array<int64_t, 4> shape{1, 8, 2, 3};
        return ggml_im2col_back(m, m.f32(6, 1, 6, 3), m.f32(1, 3, 2, 4), shape.data(), 1, 1, 0, 0,
                                1, 1, true);
    };
    const std::vector<Case> cases = {
        {[](const Maker& m) { return ggml_out_prod(m, m.f32(1, 6, 2), m.f32(5, 6, 4)); }, {}},
        {masked, {}},
        {masked, 0},
        {cleared, {}},
        {cleared, 0},
        {image, {}},
        {[](const Maker& m) {
             return ggml_conv_transpose_2d_p0(m, m.f16(1, 3, 4, 2), m.f32(9, 8, 2), 2);
         },
         0},
        {[](const Maker& m) { return ggml_ssm_conv(m, m.f32(10, 6, 2), m.f32(1, 6)); }, 1},
        {loss, 0},
        {loss, 1},
        {attention, {}}};
    for (const Case& one : cases) {
        const ggml_tensor* const node = one.sample(Maker(context_));
        auto tensors = describe(node);
        EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
        protocol::Tensor& tensor = one.source ? source(tensors, *one.source) : last(tensors).tensor;
        ASSERT_EQ(tensor.ne[0], 1) << ggml_op_desc(node);
        tensor.nb[0] = 0;
        EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
    }
}

// The kernel makes a row floats in memory for a row of the result.
TEST_F(OpRulesTest, RowsLongerThanTheBlocksTheyBecomeAreRefused) {
    const auto copied = [this](int64_t ne0, int64_t ne1) {
        const Maker m(context_);
        return outcome(describe(ggml_cpy(m, m.f16(ne0, ne1), m.q8(64, 32))));
    };
    EXPECT_EQ(copied(32, 64), "valid");
    EXPECT_EQ(copied(64, 32), "valid");
    EXPECT_NE(copied(2048, 1), "valid");
}

// The kernel reads a row in one piece: of a transposed matrix that stays inside.
TEST_F(OpRulesTest, SumsOfElementsThatOverlapAreRefused) {
    const Maker m(context_);
    auto tensors = describe(ggml_sum(m, m.f32(8, 6)));
    source(tensors, 0).nb[0] = 0;
    EXPECT_NE(outcome(tensors), "valid");
    EXPECT_EQ(outcome(describe(ggml_sum(m, ggml_transpose(m, m.f32(8, 6))))), "valid");
}

// Found by fuzzing: the kernel reads the positions in one piece.
TEST_F(OpRulesTest, PositionsFollowEachOther) {
    int tried = 0;
    for (const ggml_tensor* const node : nodes_)
        if (node->op == GGML_OP_ROPE || node->op == GGML_OP_ROPE_BACK) {
            auto tensors = describe(node);
            source(tensors, 1).nb[0] = 0;
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
            ++tried;
        }
    EXPECT_GT(tried, 1);
}

// Older kernels count rows of more than two dimensions wrongly.
TEST_F(OpRulesTest, EqualNumbersAreCountedInMatricesAlone) {
    const Maker m(context_);
    EXPECT_NE(outcome(describe(ggml_count_equal(m, m.i32(8, 4, 1, 2), m.i32(8, 4, 1, 2)))),
              "valid");
}

TEST_F(OpRulesTest, KernelsOfMoreElementsThanAnIntCountsAreRefused) {
    const Maker m(context_);
    auto tensors =
        describe(ggml_conv_transpose_1d(m, m.f16(4, 1, 1 << 16), m.f32(9, 1 << 16), 2, 0, 1));
    EXPECT_EQ(outcome(tensors), "valid");
    for (protocol::Tensor* const tensor : {&source(tensors, 0), &last(tensors).tensor}) {
        tensor->ne[0] += (1 << 15) - 4;
        lay_out(*tensor);
    }
    EXPECT_NE(outcome(tensors), "valid");
}

// The kernel writes a result's sequence where this stride says.
TEST_F(OpRulesTest, StatesOfOneSequenceHaveItsStride) {
    const Maker m(context_);
    auto tensors =
        describe(ggml_ssm_scan(m, m.f32(16, 8, 4, 1), m.f32(8, 4, 7, 2), m.f32(4, 7, 2),
                               m.f32(1, 4), m.f32(16, 2, 7, 2), m.f32(16, 2, 7, 2), m.i32(2), 1));
    EXPECT_EQ(outcome(tensors), "valid");
    source(tensors, 0).nb[3] = kFar;
    EXPECT_NE(outcome(tensors), "valid");
    source(tensors, 0).nb[3] = 0;
    EXPECT_NE(outcome(tensors), "valid");
}

// Kernels copy or convert these into memory of their own: terabytes out of a few bytes.
TEST_F(OpRulesTest, SourcesWithMoreElementsThanBytesAreRefused) {
    const Maker m(context_);
    const std::vector<std::pair<ggml_tensor*, std::vector<size_t>>> nodes = {
        {ggml_mul_mat(m, m.f16(1 << 10, 6), m.f32(1 << 10, 1 << 20)), {1}},
        {ggml_mul_mat(m, m.f16(1 << 10, 1 << 20), m.f32(1 << 10, 6)), {0}},
        {ggml_mul_mat_id(m, m.f16(1 << 10, 1, 1 << 20), m.f32(1 << 10, 1, 5), m.i32(2, 5)), {0}},
        {ggml_mul_mat_id(m, m.f16(1 << 10, 1, 4), m.f32(1 << 10, 1, 1 << 20), m.i32(2, 1 << 20)),
         {1}},
        {ggml_conv_transpose_1d(m, m.f16(16, 4, 1 << 22), m.f32(9, 1 << 22), 2, 0, 1), {0}},
        {ggml_conv_transpose_2d_p0(m, m.f16(3, 3, 4, 8), m.f32(1 << 10, 1 << 10, 8, 16), 2), {1}}};
    for (const auto& [node, sources] : nodes) {
        auto tensors = describe(node);
        EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
        for (const size_t i : sources) {
            for (size_t dimension = 1; dimension < 4; ++dimension)
                source(tensors, i).nb[dimension] = 0;
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " source " << i;
        }
    }
}

// Overlapping rows, as those of a window that slides over a signal, and one row for many.
TEST_F(OpRulesTest, SourcesThatOverlapALittleAreMultiplied) {
    const Maker m(context_);
    auto tensors = describe(ggml_mul_mat(m, m.f16(64, 6), m.f32(64, 500)));
    for (const uint64_t stride : {64U, 0U}) {
        source(tensors, 1).nb[1] = stride;
        EXPECT_EQ(outcome(tensors), "valid");
    }
}

// The kernel has room for all rows with each expert.
TEST_F(OpRulesTest, ExpertsForMoreRowsThanMemoryHoldsAreRefused) {
    const Maker m(context_);
    const auto chosen = [&](int64_t experts, int64_t tokens) {
        return outcome(describe(
            ggml_mul_mat_id(m, m.f16(1, 1, experts), m.f32(1, 1, tokens), m.i32(8, tokens))));
    };
    EXPECT_EQ(chosen(512, 1 << 16), "valid");
    EXPECT_NE(chosen(1 << 20, 1 << 20), "valid");
}

// ggml asserts that a byte is left after an offset, if nothing is added there, too.
TEST_F(OpRulesTest, NothingIsAddedAtTheEndOfTheResult) {
    const Maker m(context_);
    for (ggml_tensor* const node : {ggml_acc(m, m.f32(8, 6), m.f32(1, 1), 32, 192, 192, 0),
                                    ggml_set_2d(m, m.f32(8, 6), m.f32(1, 1), 32, 0)}) {
        auto tensors = describe(node);
        source(tensors, 1).ne[0] = 0;
        for (const int32_t offset : {0, 188, 192, 196}) {
            last(tensors).tensor.op_params[3] = offset;
            const int32_t last_valid = node->op == GGML_OP_ACC ? 188 : 192;
            EXPECT_EQ(outcome(tensors) == "valid", offset <= last_valid)
                << ggml_op_desc(node) << " at " << offset;
        }
    }
}

// ggml says that it computes these, and aborts.
TEST_F(OpRulesTest, TypesThatKernelsAbortOnAreRefused) {
    const Maker m(context_);
    const auto gated = [&](ggml_glu_op op, ggml_type type) {
        return outcome(describe(ggml_glu_split(m, m.make(type, 8, 6), m.make(type, 8, 6), op)));
    };
    EXPECT_NE(gated(GGML_GLU_OP_SWIGLU_OAI, GGML_TYPE_BF16), "valid");
    EXPECT_EQ(gated(GGML_GLU_OP_SWIGLU_OAI, GGML_TYPE_F16), "valid");
    EXPECT_EQ(gated(GGML_GLU_OP_SWIGLU, GGML_TYPE_BF16), "valid");
    for (const ggml_type type : {GGML_TYPE_I8, GGML_TYPE_I64, GGML_TYPE_F64})
        EXPECT_NE(outcome(describe(ggml_repeat(m, m.make(type, 8, 1), m.make(type, 8, 6)))),
                  "valid");
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_I16, GGML_TYPE_I32})
        EXPECT_EQ(outcome(describe(ggml_repeat(m, m.make(type, 8, 1), m.make(type, 8, 6)))),
                  "valid");
}

// ggml asserts that a state is kept.
TEST_F(OpRulesTest, ScansThatKeepNoStateAreRefused) {
    int tried = 0;
    for (const ggml_tensor* const node : nodes_)
        if (node->op == GGML_OP_SSM_SCAN && node->op_params[0] == 1) {
            auto tensors = describe(node);
            last(tensors).tensor.op_params[0] = 0;
            EXPECT_NE(outcome(tensors), "valid");
            ++tried;
        }
    EXPECT_EQ(tried, 1);
}

}  // namespace
}  // namespace virtgpu::backend
