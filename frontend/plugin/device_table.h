#pragma once

#include <string>

#include "frontend/device.h"
#include "frontend/plugin/buffer_type_table.h"
#include "frontend/plugin/host_buffer_type_table.h"
#include "frontend/plugin/renewable_host.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::frontend {

// A device with the tables through which ggml reaches it. ggml keeps its address: not to be moved.
class DeviceEntry {
 public:
    // The `index`th device of the host, which outlives the entry.
    DeviceEntry(PluginAbi abi, ggml_backend_reg_t registry, RenewableHost& host, size_t index);
    DeviceEntry(const DeviceEntry&) = delete;
    DeviceEntry& operator=(const DeviceEntry&) = delete;

    ggml_backend_dev_t get() { return &ggml_device_; }
    // Of the connection in use; and of one that is not known to be lost, if there is any.
    std::shared_ptr<Device> device() const { return host_.device(index_); }
    std::shared_ptr<Device> working_device() { return host_.working_device(index_); }
    // Calls `function` with a working device, and once more where it was the first to find out that
    // the connection is lost.
    template <typename Function>
    auto use(Function function) {
        auto device = working_device();
        auto result = function(device);
        if (result || result.error().fault() != wire::Fault::kLost)
            return result;
        static_cast<void>(device->connection().health().lose(result.error().message()));
        auto other = working_device();
        return other == device ? std::move(result) : function(other);
    }
    wire::Log& log() const { return host_.log(); }
    // What applications keep pointers to.
    const std::string& name() const { return name_; }
    const std::string& host_memory_name() const { return host_memory_name_; }
    const std::string& description() const { return description_; }
    const std::string& id() const { return id_; }
    ggml_backend_buffer_type_t buffer_type() { return buffer_type_.get(); }
    HostBufferTypeEntry& host_memory() { return host_buffer_type_; }
    // Null where the device has none.
    ggml_backend_buffer_type_t host_buffer_type();

 private:
    RenewableHost& host_;
    const size_t index_;
    const std::string name_;
    const std::string host_memory_name_;
    const std::string description_;
    const std::string id_;
    ggml_backend_device ggml_device_;
    BufferTypeEntry buffer_type_;
    HostBufferTypeEntry host_buffer_type_;
};

}  // namespace virtgpu::frontend
