#include "host/size.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>

namespace virtgpu::host {
namespace {

TEST(Size, UnitsArePowersOf1024) {
    EXPECT_EQ(*parse_size("4096"), 4096U);
    EXPECT_EQ(*parse_size("4K"), 4096U);
    EXPECT_EQ(*parse_size("64M"), uint64_t{64} << 20);
    EXPECT_EQ(*parse_size("16G"), uint64_t{16} << 30);
    EXPECT_EQ(*parse_size("1T"), uint64_t{1} << 40);
}

TEST(Size, RefusesOtherText) {
    for (const char* text :
         {"", "G", "-1G", "16GB", "16 G", "1.5G", "16X", "99999999999T", "18446744073709551616"})
        EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Size, WindowsArePowersOfTwoOrNone) {
    EXPECT_TRUE(check_window_size(uint64_t{1} << 30));
    EXPECT_FALSE(check_window_size(uint64_t{3} << 30));
    EXPECT_EQ(*check_window_size(0), 0U);
    EXPECT_FALSE(check_window_size(4096));
    EXPECT_FALSE(check_window_size(uint64_t{1} << 50));
    EXPECT_TRUE(std::has_single_bit(default_window_size()));
    const auto memory = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    EXPECT_LE(default_window_size(), memory / 2);
    EXPECT_TRUE(check_window_size(default_window_size()));
}

}  // namespace
}  // namespace virtgpu::host
