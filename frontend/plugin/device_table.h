#pragma once

#include "frontend/device.h"
#include "frontend/plugin/buffer_type_table.h"
#include "frontend/plugin/host_buffer_type_table.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::frontend {

// A device with the tables through which ggml reaches it. ggml keeps its address: not to be moved.
class DeviceEntry {
 public:
    DeviceEntry(PluginAbi abi, ggml_backend_reg_t registry, std::unique_ptr<Device> device);
    DeviceEntry(const DeviceEntry&) = delete;
    DeviceEntry& operator=(const DeviceEntry&) = delete;

    ggml_backend_dev_t get() { return &ggml_device_; }
    Device& device() { return *device_; }
    ggml_backend_buffer_type_t buffer_type() { return buffer_type_.get(); }
    // Null where the device has none.
    ggml_backend_buffer_type_t host_buffer_type();

 private:
    std::unique_ptr<Device> device_;
    ggml_backend_device ggml_device_;
    BufferTypeEntry buffer_type_;
    HostBufferTypeEntry host_buffer_type_;
};

}  // namespace virtgpu::frontend
