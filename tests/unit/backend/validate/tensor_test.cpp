#include "backend/validate/tensor.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/backend/validate/vocabulary_fixture.h"

namespace virtgpu::validate {
namespace {

protocol::Tensor quantized() {
    auto tensor = small_tensor();
    tensor.type = kQ8 + kShift;
    tensor.ne = {64, 2, 1, 1};
    tensor.nb = {34, 68, 136, 136};
    return tensor;
}

TEST(TensorValidator, AcceptsWhatFitsAndTranslatesIt) {
    Checker checker;
    auto tensor = small_tensor(kAdd);
    tensor.data_offset = 4096 - 128;
    tensor.flags = 31;
    std::memcpy(tensor.name.data(), "sum", 3);
    const auto valid = checker.check(tensor);
    ASSERT_TRUE(valid) << valid.error().message();
    EXPECT_EQ(valid->type, kF32);
    EXPECT_EQ(valid->op, kAdd);
    EXPECT_EQ(valid->extent, 128U);
    EXPECT_STREQ(valid->name.data(), "sum");
    EXPECT_EQ(valid->place->offset, 4096U - 128);
}

TEST(TensorValidator, AcceptsTransposedAndBroadcastStrides) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.nb = {32, 4, 0, 0};
    EXPECT_EQ(checker.check(tensor)->extent, 7 * 32 + 3 * 4 + 4U);
}

TEST(TensorValidator, NamesAlwaysEnd) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.name.fill(0x41414141);
    EXPECT_EQ(std::strlen(checker.check(tensor)->name.data()), 63U);
}

TEST(TensorValidator, MapsUnaryAndGluByName) {
    Checker checker;
    auto tensor = small_tensor(kUnary);
    tensor.op_params[0] = kShift;
    EXPECT_EQ(checker.check(tensor)->op_params[0], 1);
    tensor.op_params[0] = 1;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor = small_tensor(kGlu);
    tensor.op_params[0] = -1;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
}

// GHSA-mqp6-7pv6-fqjf, CVE-2024-42477, ggml issue 13067: a type out of range was an index.
TEST(TensorValidator, Cve202442477TypeOutOfRange) {
    Checker checker;
    auto tensor = small_tensor();
    for (const uint32_t type : {0U, kShift + 3, 4096U, UINT32_MAX}) {
        tensor.type = type;
        EXPECT_EQ(outcome(checker.check(tensor)), "refused") << type;
    }
}

// CVE-2024-42478 and CVE-2024-42479: reads and writes at any address.
TEST(TensorValidator, Cve202442478DataOutsideTheBuffer) {
    Checker checker;
    auto tensor = small_tensor();
    for (const uint64_t offset :
         {uint64_t{4096 - 127}, uint64_t{4096}, uint64_t{4097}, UINT64_MAX - 127, UINT64_MAX}) {
        tensor.data_offset = offset;
        EXPECT_EQ(outcome(checker.check(tensor)), "peer") << offset;
    }
}

TEST(TensorValidator, StaleAndInventedBuffers) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.buffer = {0, 2};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    tensor.buffer = {77, 1};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
}

// CVE-2026-34159 and ggml pull request 14868: no buffer, no checks.
TEST(TensorValidator, Cve202634159NullBuffer) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.buffer = {};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    EXPECT_FALSE(checker.check(tensor, Placement::kIgnored)->place);
    tensor.ne[1] = 0;
    EXPECT_EQ(outcome(checker.check(tensor)), "valid");
}

// ggml issue 9799: (0 - 1) * stride underflowed.
TEST(TensorValidator, Issue9799ZeroElements) {
    Checker checker;
    for (size_t dimension = 0; dimension < 4; ++dimension) {
        auto tensor = small_tensor();
        tensor.ne[dimension] = 0;
        tensor.data_offset = 4096;
        const auto valid = checker.check(tensor);
        ASSERT_TRUE(valid) << valid.error().message();
        EXPECT_EQ(valid->extent, 0U);
    }
}

TEST(TensorValidator, NegativeElements) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.ne[2] = -1;
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    tensor.ne[2] = INT64_MIN;
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
}

// CVE-2026-33298: the product wrapped to something small.
TEST(TensorValidator, Cve202633298SizesOverflow) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.ne = {int64_t{1} << 31, int64_t{1} << 31, 4, 1};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    tensor = small_tensor();
    tensor.ne = {INT64_MAX, 1, 1, 1};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    tensor = small_tensor();
    tensor.nb[1] = UINT64_MAX / 3 + 1;  // 3 * nb[1] == 1
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
    // Strides of zero hide the elements from the extent, not from ggml's loops over all of them.
    tensor = small_tensor();
    tensor.nb = {0, 0, 0, 0};
    tensor.ne = {int64_t{1} << 40, int64_t{1} << 40, 1, 1};
    EXPECT_EQ(outcome(checker.check(tensor)), "peer");
}

// ggml pull request 20712: division by the block size of a removed type.
TEST(TensorValidator, PullRequest20712DeprecatedType) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.type = kDeprecated + kShift;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
}

// ggml issue 25288: assert(ne % block_size == 0).
TEST(TensorValidator, Issue25288PartOfABlock) {
    Checker checker;
    auto tensor = quantized();
    EXPECT_EQ(checker.check(tensor)->extent, 136U);
    tensor.ne[0] = 33;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor = quantized();
    tensor.nb[0] = 17;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
}

// ggml issues 26825 and 26912: ggml_nbytes ignores this stride, kernels use it.
TEST(TensorValidator, Issue26825StrideOfASizeOneDimension) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.nb[3] = 4097;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor.nb[3] = uint64_t{1} << 60;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor.nb[3] = 4096;
    EXPECT_EQ(outcome(checker.check(tensor)), "valid");
}

// Kernels load whole numbers; a processor may fault on others, and a GPU does.
TEST(TensorValidator, MisalignedStridesAndPlaces) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.nb[1] = 33;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor = small_tensor();
    tensor.data_offset = 2;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor.data_offset = 4;
    EXPECT_EQ(outcome(checker.check(tensor)), "valid");
    // Blocks of 34 bytes hold numbers of two.
    tensor = quantized();
    tensor.data_offset = 1;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
    tensor.data_offset = 2;
    EXPECT_EQ(outcome(checker.check(tensor)), "valid");
}

TEST(TensorValidator, UnknownFlags) {
    Checker checker;
    auto tensor = small_tensor();
    tensor.flags = 32;
    EXPECT_EQ(outcome(checker.check(tensor)), "refused");
}

}  // namespace
}  // namespace virtgpu::validate
