#include "ggml_private/plugin_abi_version.h"

#include <gtest/gtest.h>

namespace virtgpu::ggml_private {
namespace {

TEST(PluginAbiVersionTest, FollowsGgmlsVersion) {
    for (const char* version : {"0.26.0", "0.27.0", "0.27.3-dev", "0.30", "1.0.0"})
        EXPECT_EQ(plugin_abi_of(version), PluginAbi::kVersion3) << version;
    for (const char* version : {"0.23.0", "0.24.1", "0.25.1"})
        EXPECT_EQ(plugin_abi_of(version), PluginAbi::kVersion2) << version;
    for (const char* version : {"0.22.9", "0.9.4", "", "0", "0.", "unknown", "x.27"})
        EXPECT_FALSE(plugin_abi_of(version)) << version;
}

}  // namespace
}  // namespace virtgpu::ggml_private
