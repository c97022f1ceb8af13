#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "frontend/device.h"
#include "frontend/plugin/buffer_type_layout.h"

namespace virtgpu::frontend {

// The ggml_backend_buffer_type of memory on this side that the host sees as well, from which and to
// which the device's transfers need no copy here.
class HostBufferTypeEntry : public BufferTypeLayout {
 public:
    HostBufferTypeEntry(PluginAbi abi, DeviceEntry& device);

    // Memory of the device's connection; ggml has no place to keep whose it is.
    wire::Result<std::byte*> allocate(std::shared_ptr<Device> device, size_t size);
    void free(std::byte* memory);

 private:
    std::mutex mutex_;
    std::map<std::byte*, std::shared_ptr<Device>> owners_;
};

}  // namespace virtgpu::frontend
