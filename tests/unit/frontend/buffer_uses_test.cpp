#include "frontend/buffer_uses.h"

#include <gtest/gtest.h>

#include <array>

namespace virtgpu::frontend {
namespace {

constexpr protocol::Handle kFirst{1, 1};
constexpr protocol::Handle kSecond{2, 1};

TEST(BufferUsesTest, NobodyUsesABufferThatWasNotNamed) {
    const BufferUses uses;
    EXPECT_EQ(uses.last(kFirst), 0U);
}

TEST(BufferUsesTest, TheLastUseOfEachCounts) {
    BufferUses uses;
    uses.note(std::array{kFirst, kSecond}, 3);
    uses.note(kSecond, 7);
    EXPECT_EQ(uses.last(kFirst), 3U);
    EXPECT_EQ(uses.last(kSecond), 7U);
    uses.note(kSecond, 5);
    EXPECT_EQ(uses.last(kSecond), 7U) << "noted later, by another thread";
}

TEST(BufferUsesTest, AFreedBufferIsForgottenAndNoOther) {
    BufferUses uses;
    uses.note(std::array{kFirst, kSecond}, 3);
    uses.forget(kFirst);
    EXPECT_EQ(uses.last(kFirst), 0U);
    EXPECT_EQ(uses.last(kSecond), 3U);
}

}  // namespace
}  // namespace virtgpu::frontend
