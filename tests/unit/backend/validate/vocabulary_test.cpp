#include <gtest/gtest.h>

#include "tests/unit/backend/validate/vocabulary_fixture.h"

namespace virtgpu::validate {
namespace {

TEST(Vocabulary, TranslatesByNameNotByNumber) {
    const auto vocabulary = Vocabulary::negotiate(small_host(), small_guest());
    ASSERT_TRUE(vocabulary);
    EXPECT_EQ(vocabulary->op(kShift + kMulMat).value(), kMulMat);
    EXPECT_EQ(vocabulary->type(kShift + kQ8).value(), kQ8);
    EXPECT_EQ(vocabulary->unary_op(kShift).value(), 1U);    // NEG
    EXPECT_EQ(vocabulary->glu_op(kShift + 1).value(), 0U);  // REGLU
    EXPECT_EQ(vocabulary->rules(kMulMat).name, "MUL_MAT");
}

TEST(Vocabulary, RefusesWhatTheHostDoesNotKnow) {
    const auto vocabulary = Vocabulary::negotiate(small_host(), small_guest());
    EXPECT_EQ(outcome(vocabulary->op(kShift + 10)), "refused");
    EXPECT_EQ(outcome(vocabulary->type(kShift + 3)), "refused");
    EXPECT_EQ(outcome(vocabulary->op(0)), "refused");
    EXPECT_EQ(outcome(vocabulary->op(UINT32_MAX)), "refused");
}

// ggml issue 25289: the function pointer in op_params was called.
TEST(Vocabulary, Issue25289RefusesCustomOperations) {
    const auto vocabulary = Vocabulary::negotiate(small_host(), small_guest());
    for (uint32_t op = kCustom; op < kCustom + 4; ++op)
        EXPECT_EQ(outcome(vocabulary->op(kShift + op)), "refused") << op;
}

TEST(Vocabulary, NumbersGivenTwiceOrTooHighAreTheGuestsFault) {
    auto guest = small_guest();
    guest.ops.push_back(guest.ops.front());
    EXPECT_EQ(outcome(Vocabulary::negotiate(small_host(), guest)), "peer");
    guest = small_guest();
    guest.types.push_back({protocol::kMaxNames, "f32"});
    EXPECT_EQ(outcome(Vocabulary::negotiate(small_host(), guest)), "peer");
}

TEST(OpRules, KnowsKindsAndRefusesWhatIsNotInTheTable) {
    EXPECT_EQ(rules_for("NONE").kind, OpKind::kNone);
    EXPECT_EQ(rules_for("PERMUTE").kind, OpKind::kView);
    EXPECT_EQ(rules_for("MAP_CUSTOM2").kind, OpKind::kForbidden);
    EXPECT_EQ(rules_for("FLASH_ATTN_EXT").kind, OpKind::kCompute);
    EXPECT_EQ(rules_for("OF_THE_FUTURE").kind, OpKind::kForbidden);
}

}  // namespace
}  // namespace virtgpu::validate
