#include "host/file_mode.h"

#include <gtest/gtest.h>

namespace virtgpu::host {
namespace {

TEST(FileMode, IsOctal) {
    EXPECT_EQ(*parse_file_mode("0660"), 0660U);
    EXPECT_EQ(*parse_file_mode("600"), 0600U);
    EXPECT_EQ(*parse_file_mode("0"), 0U);
}

TEST(FileMode, RefusesOtherText) {
    for (const char* text : {"", "rw", "0888", "-1", "u=rw", "1777", "660 "})
        EXPECT_FALSE(parse_file_mode(text)) << text;
}

}  // namespace
}  // namespace virtgpu::host
