#include "wire/handle_table.h"

#include <gtest/gtest.h>

namespace virtgpu::wire {
namespace {

TEST(HandleTable, FindsWhatWasAdded) {
    HandleTable<int> table(4);
    const auto handle = table.add(std::make_shared<int>(5)).value();
    EXPECT_EQ(*table.find(handle).value(), 5);
    EXPECT_EQ(table.size(), 1U);
}

TEST(HandleTable, RefusesStaleDoubleFreedAndInventedHandles) {
    HandleTable<int> table(4);
    const auto stale = table.add(std::make_shared<int>(1)).value();
    ASSERT_TRUE(table.remove(stale));
    EXPECT_FALSE(table.remove(stale)) << "double free";
    const auto reused = table.add(std::make_shared<int>(2)).value();
    EXPECT_EQ(reused.index, stale.index);
    EXPECT_EQ(table.find(stale).error().fault(), Fault::kPeer) << "old generation";
    EXPECT_FALSE(table.find({reused.index, reused.generation + 1}));
    EXPECT_FALSE(table.find({9, 1}));
    EXPECT_FALSE(table.find({}));
}

TEST(HandleTable, RefusesMoreThanItsLimit) {
    HandleTable<int> table(2);
    ASSERT_TRUE(table.add(std::make_shared<int>(1)));
    ASSERT_TRUE(table.add(std::make_shared<int>(2)));
    EXPECT_EQ(table.add(std::make_shared<int>(3)).error().fault(), Fault::kRefused);
}

TEST(HandleTable, AnObjectInUseOutlivesItsRemoval) {
    HandleTable<int> table(1);
    const auto handle = table.add(std::make_shared<int>(8)).value();
    const auto in_use = table.find(handle).value();
    ASSERT_TRUE(table.remove(handle));
    EXPECT_EQ(*in_use, 8);
}

}  // namespace
}  // namespace virtgpu::wire
