#include "device/gpu/fence_timelines.h"

#include <gtest/gtest.h>

#include <vector>

namespace virtgpu::gpu {
namespace {

constexpr Timeline kRing1{true, 1, 1};
constexpr Timeline kRing2{true, 1, 2};

class FenceTimelinesTest : public testing::Test {
 protected:
    void complete(const FenceTimelines::Ticket& ticket, int number) {
        timelines_.complete(ticket, [this, number] { released_.push_back(number); });
    }
    FenceTimelines timelines_;
    std::vector<int> released_;
};

TEST_F(FenceTimelinesTest, KeepsTheOrderOfATimeline) {
    const auto first = timelines_.enter(kRing1);
    const auto second = timelines_.enter(kRing1);
    const auto third = timelines_.enter(kRing1);
    complete(second, 2);
    EXPECT_TRUE(released_.empty());
    complete(first, 1);
    EXPECT_EQ(released_, (std::vector{1, 2}));
    complete(third, 3);
    EXPECT_EQ(released_, (std::vector{1, 2, 3}));
    EXPECT_TRUE(timelines_.empty());
}

TEST_F(FenceTimelinesTest, TimelinesAreIndependent) {
    const auto slow = timelines_.enter(kRing1);
    const auto quick = timelines_.enter(kRing2);
    const auto global = timelines_.enter(Timeline{});
    complete(quick, 2);
    complete(global, 3);
    EXPECT_EQ(released_, (std::vector{2, 3}));
    complete(slow, 1);
    EXPECT_EQ(released_, (std::vector{2, 3, 1}));
}

TEST_F(FenceTimelinesTest, TicketsDieWithAClear) {
    const auto old = timelines_.enter(kRing1);
    timelines_.clear();
    const auto current = timelines_.enter(kRing1);
    complete(old, 1);
    EXPECT_TRUE(released_.empty());
    complete(current, 2);
    EXPECT_EQ(released_, std::vector{2});
}

}  // namespace
}  // namespace virtgpu::gpu
