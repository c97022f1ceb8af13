#include "wire/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace virtgpu::wire {
namespace {

Result<int> half(int value) {
    if (value % 2 != 0)
        return fail(Fault::kRefused, "{} is odd", value);
    return value / 2;
}

Result<int> quarter(int value) {
    return TRY(half(TRY(half(value))));
}

TEST(Result, TryPassesValuesAndReturnsTheFirstError) {
    EXPECT_EQ(quarter(12).value(), 3);
    EXPECT_EQ(quarter(6).error().message(), "3 is odd");
    EXPECT_EQ(quarter(5).error().fault(), Fault::kRefused);
}

TEST(Result, TryMovesWhatCannotBeCopied) {
    const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
    const auto use = [&]() -> Result<int> {
        const std::unique_ptr<int> owned = TRY(make());
        return *owned;
    };
    EXPECT_EQ(use().value(), 7);
}

TEST(Result, SystemFailureNamesTheReason) {
    const Result<void> result = system_failure(ENOENT, "opening 'x'");
    EXPECT_EQ(result.error().message(), "opening 'x': No such file or directory");
    EXPECT_EQ(result.error().fault(), Fault::kSystem);
}

}  // namespace
}  // namespace virtgpu::wire
