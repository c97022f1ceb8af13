#include "backend/validate/op_rules.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <utility>

#include "tests/unit/backend/placement_samples.h"
#include "tests/unit/backend/validate/op_rules_fixture.h"

namespace virtgpu::backend {
namespace {

TEST_F(OpRulesTest, WhatGgmlMakesIsValid) {
    for (const ggml_tensor* const node : nodes_)
        EXPECT_EQ(outcome(describe(node)), "valid") << ggml_op_desc(node);
}

// With one refused, llama.cpp keeps that weight on the guest's processor, and cuts the graph there.
TEST_F(OpRulesTest, WhatLlamaCppAsksBeforeItPlacesWeightsIsValid) {
    for (const Sample& sample : placement_samples()) {
        const ggml_tensor* const node = sample(Maker(context_));
        EXPECT_EQ(outcome(describe(node)), "valid") << ggml_op_desc(node);
    }
}

TEST_F(OpRulesTest, EveryOperationOfTheTableHasASample) {
    std::set<std::string_view> sampled = {"NONE"};
    for (const ggml_tensor* const node : nodes_)
        sampled.insert(ggml_op_name(node->op));
    for (const validate::OpRow& row : validate::op_table())
        EXPECT_TRUE(sampled.contains(row.name)) << row.name;
}

// ggml issue 25289, and what ggml itself no longer computes.
TEST_F(OpRulesTest, TheTableHasEveryOperationOfGgmlButThese) {
    const std::set<std::string_view> refused = {"MAP_CUSTOM1", "MAP_CUSTOM2", "MAP_CUSTOM3",
                                                "CUSTOM", "FLASH_ATTN_BACK"};
    for (int op = 0; op < GGML_OP_COUNT; ++op) {
        const std::string_view name = ggml_op_name(static_cast<ggml_op>(op));
        EXPECT_EQ(validate::rules_for(name).row == nullptr, refused.contains(name)) << name;
    }
}

TEST_F(OpRulesTest, MissingSourcesAreRefused) {
    for (const ggml_tensor* const node : nodes_)
        for (size_t i = 0; i < GGML_MAX_SRC; ++i) {
            if (node->src[i] == nullptr || row(node).sources[i].optional)
                continue;
            auto tensors = describe(node);
            tensors.back().source[i] = 0;
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " without " << i;
        }
}

TEST_F(OpRulesTest, SourcesThatNothingReadsAreRefused) {
    for (const ggml_tensor* const node : nodes_)
        for (size_t i = 0; i < GGML_MAX_SRC; ++i) {
            if (row(node).sources[i].types != 0 || node->src[0] == nullptr)
                continue;
            auto tensors = describe(node);
            tensors.back().source[i] = 1;
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " with " << i;
        }
}

// ggml issues 26825 and 26912 for GET_ROWS and SET_ROWS, and the same for all others: what kernels
// only assert. These may have any shape, or one more than their parameters say.
TEST_F(OpRulesTest, Issue26825ResultsOfAnotherShapeAreRefused) {
    const std::set<std::string_view> any = {"UPSCALE", "POOL_2D",     "REPEAT",
                                            "TOP_K",   "REPEAT_BACK", "WIN_UNPART"};
    for (const ggml_tensor* const node : nodes_) {
        if (row(node).kind == validate::OpKind::kView || any.contains(ggml_op_name(node->op)))
            continue;
        for (size_t dimension = 0; dimension < 4; ++dimension) {
            auto tensors = describe(node);
            protocol::Tensor& result = tensors.back().tensor;
            // A timestep's row, an image, and rows to be set, may be longer than needed.
            if (((node->op == GGML_OP_TIMESTEP_EMBEDDING || node->op == GGML_OP_IM2COL_BACK) &&
                 dimension == 0) ||
                ((node->op == GGML_OP_SET_ROWS || node->op == GGML_OP_GET_ROWS_BACK) &&
                 dimension > 0))
                continue;
            result.ne[dimension] += ggml_blck_size(static_cast<ggml_type>(result.type));
            lay_out(result);
            // ggml_cpy's second source is as the result.
            if (node->op == GGML_OP_CPY)
                tensors[tensors.back().source[1] - 1].tensor = result;
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " " << dimension;
        }
    }
}

// Kernels divide by dimensions.
TEST_F(OpRulesTest, SourcesWithoutElementsAreRefused) {
    for (const ggml_tensor* const node : nodes_) {
        if (row(node).kind == validate::OpKind::kView)
            continue;
        for (size_t i = 0; i < GGML_MAX_SRC; ++i) {
            if (node->src[i] == nullptr || row(node).sources[i].may_be_empty)
                continue;
            for (size_t dimension = 0; dimension < 4; ++dimension) {
                auto tensors = describe(node);
                protocol::Tensor& source = tensors[tensors.back().source[i] - 1].tensor;
                source.ne[dimension] = 0;
                lay_out(source);
                EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " source " << i;
            }
        }
    }
}

TEST_F(OpRulesTest, ResultsWithoutElementsAreNothingToCompute) {
    for (const ggml_tensor* const node : nodes_) {
        auto tensors = describe(node);
        tensors.back().tensor.ne[1] = 0;
        EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
    }
}

// CVE-2024-42477's kind: a type that a kernel's table has no function for.
TEST_F(OpRulesTest, TypesThatKernelsDoNotKnowAreRefused) {
    for (const ggml_tensor* const node : nodes_)
        for (size_t i = 0; i < GGML_MAX_SRC; ++i) {
            if (node->src[i] == nullptr || row(node).kind == validate::OpKind::kView ||
                (row(node).sources[i].types & validate::types::kF64) != 0)
                continue;
            auto tensors = describe(node);
            protocol::Tensor& source = tensors[tensors.back().source[i] - 1].tensor;
            source.type = GGML_TYPE_F64;
            lay_out(source);
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node) << " source " << i;
        }
}

TEST_F(OpRulesTest, ParametersOutOfRangeAreRefused) {
    struct Case {
        ggml_op op;
        size_t word;
        std::vector<int32_t> wrong;
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<Case> cases = {
        {GGML_OP_CONCAT, 0, {-1, 4, INT32_MIN}},
        {GGML_OP_GROUP_NORM, 0, {0, -1, 1 << 30}},
        {GGML_OP_RMS_NORM, 0, {std::bit_cast<int32_t>(-1.0F), std::bit_cast<int32_t>(nan)}},
        {GGML_OP_ARGSORT, 0, {-1, 2}},
        {GGML_OP_TRI, 0, {-1, 4}},
        {GGML_OP_UPSCALE, 0, {3, 255, 1 << 10}},
        {GGML_OP_ARANGE, 2, {0, std::bit_cast<int32_t>(nan)}},
        {GGML_OP_POOL_1D, 2, {0, -1}},
        {GGML_OP_POOL_2D, 3, {0, -1}},
        {GGML_OP_POOL_2D_BACK, 1, {0, INT32_MAX}},
        {GGML_OP_IM2COL, 0, {0, -1}},
        {GGML_OP_IM2COL_BACK, 0, {0, -1}},
        {GGML_OP_IM2COL_3D, 9, {0, -1, 3}},
        {GGML_OP_COL2IM_1D, 1, {0, -1}},
        {GGML_OP_CONV_3D, 9, {0, -2}},
        {GGML_OP_WIN_PART, 2, {0, -1}},
        {GGML_OP_WIN_UNPART, 0, {0, -1}},
        {GGML_OP_ROPE, 1, {31, 34, -2}},
        {GGML_OP_ROPE, 2, {1, 3, 7, -1}},
        {GGML_OP_ROPE, 15, {-2, 1, 64}},
        {GGML_OP_DSV4_HC_COMB, 1, {0, INT32_MAX}},
        {GGML_OP_FLASH_ATTN_EXT, 3, {1, 20, -1}},
        {GGML_OP_GATED_DELTA_NET, 0, {0, -1, 2}},
        {GGML_OP_SSM_SCAN, 0, {-1, 2}},
        {GGML_OP_DIAG_MASK_INF, 0, {-1}},
        {GGML_OP_SET, 3, {-4, 1000}},
        {GGML_OP_ACC, 0, {-4, 1000}},
        {GGML_OP_PAD, 1, {-1, 100}},
        {GGML_OP_PAD_REFLECT_1D, 0, {-1, 8}},
        {GGML_OP_ROLL, 0, {8, INT32_MIN}},
    };
    for (const Case& wrong : cases)
        for (const ggml_tensor* const node : nodes_)
            if (node->op == wrong.op)
                for (const int32_t value : wrong.wrong) {
                    auto tensors = describe(node);
                    last(tensors).tensor.op_params[wrong.word] = value;
                    EXPECT_NE(outcome(tensors), "valid")
                        << ggml_op_desc(node) << " " << wrong.word << " = " << value;
                }
}

TEST_F(OpRulesTest, RopeSectionsThatAddUpToNothingAreRefused) {
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_ROPE || (node->op_params[2] & GGML_ROPE_TYPE_MROPE) == 0)
            continue;
        auto tensors = describe(node);
        for (const std::array<int32_t, 4> sections :
             {std::array{0, 0, 0, 8}, {1, -1, 0, 0}, {64, 0, 0, 0}}) {
            std::copy(sections.begin(), sections.end(), &last(tensors).tensor.op_params[11]);
            EXPECT_NE(outcome(tensors), "valid");
        }
    }
}

// The kernels divide the tokens by the sequences and count the states by the quotient.
TEST_F(OpRulesTest, RecurrencesWithUnevenSequencesAreRefused) {
    for (const ggml_tensor* const node : nodes_) {
        const bool recurrent = node->op == GGML_OP_RWKV_WKV6 || node->op == GGML_OP_RWKV_WKV7 ||
                               node->op == GGML_OP_GATED_LINEAR_ATTN;
        if (!recurrent)
            continue;
        auto tensors = describe(node);
        protocol::Tensor& state = tensors[tensors.size() - 2].tensor;
        ASSERT_EQ(state.ne[1], 3);
        state.ne = {state.ne[0], 4, 1, 1};  // 6 tokens for 4 sequences
        lay_out(state);
        protocol::Tensor& result = last(tensors).tensor;
        result.ne[1] = 6 + 64 * 4;
        lay_out(result);
        EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
    }
}

// Found by fuzzing: ggml asserts it.
TEST_F(OpRulesTest, SourcesWithGapsAreRefused) {
    for (const ggml_tensor* const node : nodes_)
        for (const size_t i : {1U, 4U, 5U}) {
            if (node->op != GGML_OP_SSM_SCAN)
                continue;
            auto tensors = describe(node);
            for (const size_t dimension : {0U, 1U}) {
                protocol::Tensor& source = tensors[tensors.back().source[i] - 1].tensor;
                source.nb[dimension] *= 2;
                EXPECT_NE(outcome(tensors), "valid") << "source " << i;
                source.nb[dimension] /= 2;
            }
        }
}

// Found by fuzzing: ggml asserts how many there are.
TEST_F(OpRulesTest, ParametersOfOptimizersHaveTheirNumber) {
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_OPT_STEP_ADAMW && node->op != GGML_OP_OPT_STEP_SGD)
            continue;
        auto tensors = describe(node);
        const size_t parameters = node->op == GGML_OP_OPT_STEP_ADAMW ? 4 : 2;
        protocol::Tensor& source = tensors[last(tensors).source[parameters] - 1].tensor;
        for (const int64_t change : {-1, 1}) {
            source.ne[0] += change;
            lay_out(source);
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
            source.ne[0] -= change;
        }
    }
}

// Found by fuzzing: the kernel clears as many bytes as a result without overlaps has.
TEST_F(OpRulesTest, ResultsThatOverlapThemselvesAreRefused) {
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_OUT_PROD)
            continue;
        auto tensors = describe(node);
        last(tensors).tensor.nb[2] -= 4;
        EXPECT_NE(outcome(tensors), "valid");
    }
}

// Found by fuzzing: ggml's kernels abort.
TEST_F(OpRulesTest, HalvesWhereKernelsKnowFloatsAloneAreRefused) {
    std::set<ggml_op> tried;
    for (const ggml_tensor* const node : nodes_) {
        auto tensors = describe(node);
        if (node->op == GGML_OP_MUL_MAT_ID) {
            protocol::Tensor& source = tensors[last(tensors).source[1] - 1].tensor;
            source.type = GGML_TYPE_F16;
            lay_out(source);
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
        } else if (node->op == GGML_OP_SET || node->op == GGML_OP_SCALE) {
            for (protocol::GraphTensor& tensor : tensors) {
                tensor.tensor.type = GGML_TYPE_F16;
                lay_out(tensor.tensor);
            }
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
        } else if (node->op == GGML_OP_IM2COL && node->type == GGML_TYPE_F32) {
            protocol::Tensor& image = tensors[last(tensors).source[1] - 1].tensor;
            image.type = GGML_TYPE_F16;
            lay_out(image);
            EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
        } else {
            continue;
        }
        tried.insert(node->op);
    }
    EXPECT_EQ(tried, (std::set{GGML_OP_MUL_MAT_ID, GGML_OP_SET, GGML_OP_SCALE, GGML_OP_IM2COL}));
}

// Found by fuzzing: ggml asserts it also where there is nothing to write.
TEST_F(OpRulesTest, NothingIsSetInsideTheResultToo) {
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_SET && node->op != GGML_OP_ACC)
            continue;
        auto tensors = describe(node);
        protocol::Tensor& source = tensors[last(tensors).source[1] - 1].tensor;
        source.ne[3] = 0;
        lay_out(source);
        EXPECT_EQ(outcome(tensors), "valid") << ggml_op_desc(node);
        last(tensors).tensor.op_params[3] = 1 << 30;
        EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
    }
}

// Found by fuzzing: kernels go through rows that have no elements as well.
TEST_F(OpRulesTest, RowsWithoutElementsAreNotEndless) {
    int tried = 0;
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_SET && node->op != GGML_OP_ACC)
            continue;
        ++tried;
        auto tensors = describe(node);
        protocol::Tensor& source = tensors[last(tensors).source[1] - 1].tensor;
        source.ne = {0, INT32_MAX, 1, 1};
        lay_out(source);
        EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
    }
    EXPECT_GT(tried, 0);
}

// Found by fuzzing: ggml asserts the order of strides of dimensions of one as well.
TEST_F(OpRulesTest, AttentionIntoAPermutedResultIsRefused) {
    int tried = 0;
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_FLASH_ATTN_EXT || node->ne[3] != 1)
            continue;
        auto tensors = describe(node);
        last(tensors).tensor.nb[3] = 0;
        EXPECT_NE(outcome(tensors), "valid");
        ++tried;
    }
    EXPECT_EQ(tried, 1);
}

// Found by fuzzing: the kernel transforms rows of B into those of the result, whatever A is.
TEST_F(OpRulesTest, ProductsThatAreNoTransformsAreNotCalledSo) {
    for (const ggml_tensor* const node : nodes_) {
        if (node->op != GGML_OP_MUL_MAT)
            continue;
        auto tensors = describe(node);
        const bool fits =
            node->src[0]->ne[1] == node->src[1]->ne[0] &&
            std::has_single_bit(static_cast<uint64_t>(node->src[1]->ne[0])) &&
            (node->src[1]->type == GGML_TYPE_F32 || node->src[1]->type == GGML_TYPE_F16);
        last(tensors).tensor.op_params[1] = GGML_HINT_SRC0_IS_HADAMARD;
        EXPECT_EQ(outcome(tensors) == "valid", fits) << ggml_op_desc(node);
        last(tensors).tensor.op_params[1] = 2;
        EXPECT_NE(outcome(tensors), "valid") << ggml_op_desc(node);
    }
}

// Found by fuzzing: ggml asserts the first stride also where it leads nowhere.
TEST_F(OpRulesTest, FirstStridesOfSingleElementsAreAsserted) {
    for (const ggml_tensor* const node : nodes_) {
        auto tensors = describe(node);
        if (node->op == GGML_OP_ARANGE) {
            last(tensors).tensor.nb[0] = 0;
            EXPECT_NE(outcome(tensors), "valid");
        }
        if (node->op == GGML_OP_SUM_ROWS || node->op == GGML_OP_MEAN) {
            last(tensors).tensor.nb[0] *= 2;
            EXPECT_NE(outcome(tensors), "valid");
        }
        if (node->op == GGML_OP_SSM_SCAN)
            for (const size_t i : {0U, 2U, 3U, 6U}) {
                protocol::Tensor& source = tensors[last(tensors).source[i] - 1].tensor;
                const uint64_t stride = std::exchange(source.nb[0], 0);
                EXPECT_NE(outcome(tensors), "valid") << "source " << i;
                source.nb[0] = stride;
            }
    }
}

// Found by fuzzing: ggml's loop over what is only copied steps by the dimensions that are turned.
TEST_F(OpRulesTest, RopeThatTurnsNothingIsAnsweredButNotComputed) {
    validate::ValidTensor result;
    result.ne = {8, 1, 1, 1};
    result.nb = {4, 32, 32, 32};
    validate::ValidTensor positions = result;
    positions.type = GGML_TYPE_I32;
    positions.ne[0] = 1;
    const validate::ValidTensor source = result;
    const validate::OpRules rules = validate::rules_for("ROPE");
    const validate::Node node(vocabulary_, result, {&source, &positions});
    EXPECT_TRUE(validate::check_node(rules, node));
    result.place = validate::Place{{1, 1}, 0};
    EXPECT_FALSE(validate::check_node(rules, node));
    result.op_params[1] = 2;
    EXPECT_TRUE(validate::check_node(rules, node));
}

TEST_F(OpRulesTest, SortingInPlaceIsRefused) {
    validate::ValidTensor result;
    validate::ValidTensor source;
    for (validate::ValidTensor* const tensor : {&result, &source}) {
        tensor->ne = {8, 1, 1, 1};
        tensor->nb = {4, 32, 32, 32};
        tensor->extent = 32;
        tensor->place = validate::Place{{1, 1}, 0};
    }
    result.type = GGML_TYPE_I32;
    const validate::OpRules rules = validate::rules_for("ARGSORT");
    const validate::Node node(vocabulary_, result, {&source});
    EXPECT_FALSE(validate::check_node(rules, node));
    result.place->offset = 31;
    EXPECT_FALSE(validate::check_node(rules, node));
    result.place->offset = 32;
    EXPECT_TRUE(validate::check_node(rules, node));
}

}  // namespace
}  // namespace virtgpu::backend
