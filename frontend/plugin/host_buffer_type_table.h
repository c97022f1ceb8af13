#pragma once

#include "frontend/plugin/buffer_type_layout.h"

namespace virtgpu::frontend {

// The ggml_backend_buffer_type of memory on this side that the host sees as well, from which and to
// which the device's transfers need no copy here.
class HostBufferTypeEntry : public BufferTypeLayout {
 public:
    HostBufferTypeEntry(PluginAbi abi, Device& device, ggml_backend_dev_t ggml_device);
};

}  // namespace virtgpu::frontend
