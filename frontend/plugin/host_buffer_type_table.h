#pragma once

#include <variant>

#include "frontend/plugin/buffer_type_table.h"

namespace virtgpu::frontend {

// The ggml_backend_buffer_type of memory on this side that the host sees as well, from which and to
// which the device's transfers need no copy here. ggml keeps its address: not to be moved.
class HostBufferTypeEntry {
 public:
    HostBufferTypeEntry(PluginAbi abi, RemoteDevice& device, ggml_backend_dev_t ggml_device);
    HostBufferTypeEntry(const HostBufferTypeEntry&) = delete;
    HostBufferTypeEntry& operator=(const HostBufferTypeEntry&) = delete;

    ggml_backend_buffer_type_t get();

 private:
    std::variant<ggml_backend_buffer_type, ggml_backend_buffer_type_v2> type_;
};

}  // namespace virtgpu::frontend
