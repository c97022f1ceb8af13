#include "wire/region.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/unit/wire/test_region.h"

namespace virtgpu::wire {
namespace {

TEST(Region, BothMappingsSeeTheSameBytes) {
    const auto [ours, theirs] = make_shared_region(4096);
    const std::array<std::byte, 3> sent{std::byte{1}, std::byte{2}, std::byte{3}};
    ASSERT_TRUE(ours->copy_in(4093, sent));
    std::array<std::byte, 3> received{};
    ASSERT_TRUE(theirs->copy_out(4093, received));
    EXPECT_EQ(received, sent);
}

TEST(Region, RefusesRangesThatLeaveItEvenWhenTheyOverflow) {
    const auto region = make_shared_region(4096).first;
    std::array<std::byte, 2> two{};
    EXPECT_FALSE(region->copy_out(4095, two));
    EXPECT_FALSE(region->copy_in(4095, two));
    EXPECT_FALSE(region->bulk(UINT64_MAX, 2));
    EXPECT_FALSE(region->bulk(1, UINT64_MAX));
    EXPECT_FALSE(region->bulk(4097, 0));
    EXPECT_TRUE(region->bulk(4096, 0));
    EXPECT_EQ(region->bulk(1, 4096).error().fault(), Fault::kPeer);
}

}  // namespace
}  // namespace virtgpu::wire
