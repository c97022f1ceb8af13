#pragma once

#include <variant>

#include "frontend/remote_device.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::frontend {

using ggml_private::PluginAbi;

// A device's ggml_backend_buffer_type, in the layout that the running ggml uses. ggml keeps its
// address: not to be moved.
class BufferTypeEntry {
 public:
    BufferTypeEntry(PluginAbi abi, RemoteDevice& device, ggml_backend_dev_t ggml_device);
    BufferTypeEntry(const BufferTypeEntry&) = delete;
    BufferTypeEntry& operator=(const BufferTypeEntry&) = delete;

    ggml_backend_buffer_type_t get();

 private:
    std::variant<ggml_backend_buffer_type, ggml_backend_buffer_type_v2> type_;
};

}  // namespace virtgpu::frontend
