#include "backend/counted_bytes.h"

#include <gtest/gtest.h>

namespace virtgpu::backend {
namespace {

TEST(CountedBytes, CountUntilTheyAreGivenBack) {
    const auto account = std::make_shared<MemoryAccount>(1000);
    {
        CountedBytes bytes(account);
        ASSERT_TRUE(bytes.resize(600));
        EXPECT_EQ(bytes.bytes().size(), 600U);
        EXPECT_EQ(account->left(), 400U);
        ASSERT_TRUE(bytes.resize(100));
        EXPECT_EQ(account->left(), 400U) << "the memory is still there";
        ASSERT_TRUE(bytes.resize(700));
        EXPECT_EQ(account->left(), 300U);
        bytes.clear();
        EXPECT_EQ(account->left(), 1000U);
        ASSERT_TRUE(bytes.resize(10));
    }
    EXPECT_EQ(account->left(), 1000U);
}

TEST(CountedBytes, WithoutRoomThereAreNone) {
    const auto account = std::make_shared<MemoryAccount>(1000);
    CountedBytes bytes(account);
    ASSERT_TRUE(bytes.resize(600));
    const auto resized = bytes.resize(1001);
    ASSERT_FALSE(resized);
    EXPECT_EQ(resized.error().fault(), wire::Fault::kRefused);
    EXPECT_TRUE(bytes.bytes().empty());
    EXPECT_EQ(account->left(), 1000U);
}

}  // namespace
}  // namespace virtgpu::backend
