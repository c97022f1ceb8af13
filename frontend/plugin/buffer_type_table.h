#pragma once

#include "frontend/plugin/buffer_type_layout.h"

namespace virtgpu::frontend {

// A device's default ggml_backend_buffer_type.
class BufferTypeEntry : public BufferTypeLayout {
 public:
    BufferTypeEntry(PluginAbi abi, DeviceEntry& device);
};

}  // namespace virtgpu::frontend
