#include "frontend/pointer_map.h"

#include <gtest/gtest.h>

#include <array>

namespace virtgpu::frontend {
namespace {

TEST(PointerMapTest, FindsWhatWasSet) {
    static std::array<char, 100000> places;
    PointerMap map;
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint32_t i = 0; i < 1000; ++i)
            map.set(&places[i * 100], i + round);
        for (uint32_t i = 0; i < 1000; ++i)
            ASSERT_EQ(map.find(&places[i * 100]), i + round);
        EXPECT_EQ(map.find(&places[1]), PointerMap::kAbsent);
        map.set(&places[0], 5);
        EXPECT_EQ(map.find(&places[0]), 5U);
        map.clear();
        EXPECT_EQ(map.find(&places[0]), PointerMap::kAbsent);
    }
}

}  // namespace
}  // namespace virtgpu::frontend
