#include "frontend/plugin/buffer_type_table.h"

#include "frontend/plugin/boundary.h"
#include "frontend/plugin/buffer_table.h"

namespace virtgpu::frontend {

namespace {

// The functions of both layouts; they differ in where the context is.
template <typename Layout>
struct Functions {
    static RemoteDevice& device(ggml_backend_buffer_type_t type) {
        return *static_cast<RemoteDevice*>(reinterpret_cast<Layout*>(type)->context);
    }

    static const char* get_name(ggml_backend_buffer_type_t type) {
        return device(type).name().c_str();
    }

    static ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
        wire::Log& log = device(type).connection().log();
        return at_boundary(log, ggml_backend_buffer_t{}, [&]() -> ggml_backend_buffer_t {
            auto buffer = device(type).allocate(size);
            if (!buffer) {
                log.error("{}", buffer.error().message());
                return nullptr;
            }
            return make_ggml_buffer(type, std::move(*buffer), size);
        });
    }

    static size_t get_alignment(ggml_backend_buffer_type_t type) {
        return device(type).alignment();
    }

    static size_t get_max_size(ggml_backend_buffer_type_t type) {
        return device(type).max_buffer_size();
    }

    static size_t get_alloc_size(ggml_backend_buffer_type_t type, const ggml_tensor* tensor) {
        return at_boundary(device(type).connection().log(), ggml_nbytes(tensor),
                           [&] { return device(type).alloc_size(*tensor); });
    }

    static bool is_host(ggml_backend_buffer_type_t /*type*/) { return false; }
};

template <typename Layout>
Layout make(RemoteDevice& device, ggml_backend_dev_t ggml_device) {
    Layout type{};
    type.iface.get_name = Functions<Layout>::get_name;
    type.iface.alloc_buffer = Functions<Layout>::alloc_buffer;
    type.iface.get_alignment = Functions<Layout>::get_alignment;
    type.iface.get_max_size = Functions<Layout>::get_max_size;
    type.iface.get_alloc_size = Functions<Layout>::get_alloc_size;
    type.iface.is_host = Functions<Layout>::is_host;
    type.device = ggml_device;
    type.context = &device;
    return type;
}

}  // namespace

BufferTypeEntry::BufferTypeEntry(PluginAbi abi, RemoteDevice& device,
                                 ggml_backend_dev_t ggml_device) {
    if (abi == PluginAbi::kVersion2)
        type_ = make<ggml_backend_buffer_type_v2>(device, ggml_device);
    else
        type_ = make<ggml_backend_buffer_type>(device, ggml_device);
}

ggml_backend_buffer_type_t BufferTypeEntry::get() {
    return std::visit(
        [](auto& type) { return reinterpret_cast<ggml_backend_buffer_type_t>(&type); }, type_);
}

}  // namespace virtgpu::frontend
