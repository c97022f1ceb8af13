#include "backend/apir/graph_contents.h"

#include <gtest/gtest.h>

#include <vector>

#include "protocol/generated/structures.h"

namespace virtgpu::backend {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::vector<std::byte> graph_of(size_t size, uint8_t value) {
    return std::vector<std::byte>(size, std::byte{value});
}

TEST(GraphContents, KnowsAGraphByItsBytes) {
    GraphContents contents(std::make_shared<MemoryAccount>(kMiB));
    ASSERT_TRUE(contents.add(7, graph_of(100, 1), 5));
    EXPECT_EQ(contents.find(graph_of(100, 1)), 7U);
    EXPECT_EQ(contents.find(graph_of(100, 2)), std::nullopt);
    EXPECT_EQ(contents.find(graph_of(99, 1)), std::nullopt);
    contents.remove(7);
    EXPECT_EQ(contents.find(graph_of(100, 1)), std::nullopt);
}

TEST(GraphContents, TheOldestIsTheOneThatWasLongestNotAskedFor) {
    GraphContents contents(std::make_shared<MemoryAccount>(kMiB));
    EXPECT_EQ(contents.oldest(), std::nullopt);
    ASSERT_TRUE(contents.add(1, graph_of(100, 1), 5));
    ASSERT_TRUE(contents.add(2, graph_of(100, 2), 5));
    EXPECT_EQ(contents.oldest(), 1U);
    contents.find(graph_of(100, 1));
    EXPECT_EQ(contents.oldest(), 2U);
}

TEST(GraphContents, KeepsSoManyGraphsBytesAndTensors) {
    GraphContents contents(std::make_shared<MemoryAccount>(UINT64_MAX));
    EXPECT_FALSE(contents.has_room(65 * kMiB, 1));
    EXPECT_FALSE(contents.has_room(1, size_t{protocol::kMaxGraphTensors} + 1));
    ASSERT_TRUE(contents.add(1, graph_of(40 * kMiB, 1), 1));
    EXPECT_TRUE(contents.has_room(24 * kMiB, 1));
    EXPECT_FALSE(contents.has_room(25 * kMiB, 1));
    for (uint32_t number = 2; number <= 16; ++number) {
        EXPECT_TRUE(contents.has_room(1, 1));
        ASSERT_TRUE(contents.add(number, graph_of(1, 1), 1));
    }
    EXPECT_FALSE(contents.has_room(1, 1));
    contents.remove(1);
    EXPECT_TRUE(contents.has_room(25 * kMiB, 1));
}

// The memory limit of a tenant is for its graphs too.
TEST(GraphContents, WhatIsKeptCountsAgainstTheMemoryOfAllContexts) {
    const auto account = std::make_shared<MemoryAccount>(kMiB);
    {
        GraphContents contents(account);
        ASSERT_TRUE(contents.add(1, graph_of(kMiB / 2, 1), 5));
        ASSERT_TRUE(contents.add(2, graph_of(kMiB / 4, 2), 5));
        EXPECT_EQ(account->left(), kMiB / 4);
        const auto added = contents.add(3, graph_of(kMiB / 2, 3), 5);
        ASSERT_FALSE(added);
        EXPECT_EQ(added.error().fault(), wire::Fault::kRefused);
        EXPECT_EQ(contents.find(graph_of(kMiB / 2, 3)), std::nullopt);
        contents.remove(1);
        EXPECT_EQ(account->left(), kMiB / 4 * 3);
    }
    EXPECT_EQ(account->left(), kMiB);
}

}  // namespace
}  // namespace virtgpu::backend
