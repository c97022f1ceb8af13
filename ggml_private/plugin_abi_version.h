#pragma once

#include <optional>
#include <string_view>

namespace virtgpu::ggml_private {

// The layouts of ggml_backend_buffer_type that we have.
enum class PluginAbi { kVersion2 = 2, kVersion3 = 3 };

// The one that a ggml of this version ("0.27.0") uses. None below 0.23, where "version 2" stands
// for several layouts.
std::optional<PluginAbi> plugin_abi_of(std::string_view ggml_version);

}  // namespace virtgpu::ggml_private
