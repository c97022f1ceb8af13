#pragma once

#include <variant>

#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::frontend {

using ggml_private::PluginAbi;

class DeviceEntry;

// A ggml_backend_buffer_type of a device, in the layout that the running ggml uses. ggml keeps its
// address: not to be moved.
class BufferTypeLayout {
 public:
    BufferTypeLayout(const BufferTypeLayout&) = delete;
    BufferTypeLayout& operator=(const BufferTypeLayout&) = delete;

    ggml_backend_buffer_type_t get() {
        return std::visit(
            [](auto& type) { return reinterpret_cast<ggml_backend_buffer_type_t>(&type); }, type_);
    }

    // For the functions in the table: both layouts differ in where the context is.
    template <typename Layout>
    static DeviceEntry& device(ggml_backend_buffer_type_t type) {
        return *static_cast<DeviceEntry*>(reinterpret_cast<Layout*>(type)->context);
    }

 protected:
    BufferTypeLayout() = default;
    ~BufferTypeLayout() = default;

    // Functions<Layout>::fill(iface) says what the buffer type does. Each has a name of its own:
    // GCC 12 takes templates of the same name for one, also where their namespaces have none.
    template <template <typename> typename Functions>
    void make(PluginAbi abi, DeviceEntry& device, ggml_backend_dev_t ggml_device) {
        if (abi == PluginAbi::kVersion2)
            fill<ggml_backend_buffer_type_v2, Functions>(device, ggml_device);
        else
            fill<ggml_backend_buffer_type, Functions>(device, ggml_device);
    }

 private:
    template <typename Layout, template <typename> typename Functions>
    void fill(DeviceEntry& device, ggml_backend_dev_t ggml_device) {
        Layout type{};
        Functions<Layout>::fill(type.iface);
        type.device = ggml_device;
        type.context = &device;
        type_ = type;
    }

    std::variant<ggml_backend_buffer_type, ggml_backend_buffer_type_v2> type_;
};

}  // namespace virtgpu::frontend
