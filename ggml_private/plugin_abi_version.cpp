#include "ggml_private/plugin_abi_version.h"

#include <charconv>

namespace virtgpu::ggml_private {

namespace {

constexpr int kFirstMinorOfVersion2 = 23;
constexpr int kFirstMinorOfVersion3 = 26;

}  // namespace

std::optional<PluginAbi> plugin_abi_of(std::string_view ggml_version) {
    int major = 0;
    int minor = 0;
    const char* const end = ggml_version.data() + ggml_version.size();
    const auto after_major = std::from_chars(ggml_version.data(), end, major);
    if (after_major.ec != std::errc() || after_major.ptr == end || *after_major.ptr != '.' ||
        std::from_chars(after_major.ptr + 1, end, minor).ec != std::errc())
        return std::nullopt;
    if (major > 0 || minor >= kFirstMinorOfVersion3)
        return PluginAbi::kVersion3;
    if (minor >= kFirstMinorOfVersion2)
        return PluginAbi::kVersion2;
    return std::nullopt;
}

}  // namespace virtgpu::ggml_private
