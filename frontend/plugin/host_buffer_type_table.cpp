#include "frontend/plugin/host_buffer_type_table.h"

#include "frontend/plugin/boundary.h"

namespace virtgpu::frontend {

namespace {

// The functions of both layouts; they differ in where the context is.
template <typename Layout>
struct Functions {
    static RemoteDevice& device(ggml_backend_buffer_type_t type) {
        return *static_cast<RemoteDevice*>(reinterpret_cast<Layout*>(type)->context);
    }

    static const char* get_name(ggml_backend_buffer_type_t type) {
        return device(type).host_memory_name().c_str();
    }

    static void free_buffer(ggml_backend_buffer_t buffer) {
        Connection& connection = device(buffer->buft).connection();
        // In a forked child another thread may hold the locks for ever.
        if (connection.health().is_copy())
            return;
        at_boundary(connection.log(), 0, [&] {
            // The host may still read or write there.
            static_cast<void>(connection.finish_streams());
            connection.host_memory().free(static_cast<std::byte*>(buffer->context));
            return 0;
        });
    }

    static ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
        wire::Log& log = device(type).connection().log();
        return at_boundary(log, ggml_backend_buffer_t{}, [&]() -> ggml_backend_buffer_t {
            const auto memory = device(type).connection().allocate_host_memory(size);
            if (!memory) {
                // Any memory will do, only slower.
                log.debug("{}: {} bytes are not shared: {}", get_name(type), size,
                          memory.error().message());
                return ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
            }
            ggml_backend_buffer_t const buffer = ggml_backend_cpu_buffer_from_ptr(*memory, size);
            buffer->buft = type;
            buffer->iface.free_buffer = free_buffer;
            return buffer;
        });
    }

    static size_t get_alignment(ggml_backend_buffer_type_t /*type*/) {
        return ggml_backend_buft_get_alignment(ggml_backend_cpu_buffer_type());
    }

    static bool is_host(ggml_backend_buffer_type_t /*type*/) { return true; }
};

template <typename Layout>
Layout make(RemoteDevice& device, ggml_backend_dev_t ggml_device) {
    Layout type{};
    type.iface.get_name = Functions<Layout>::get_name;
    type.iface.alloc_buffer = Functions<Layout>::alloc_buffer;
    type.iface.get_alignment = Functions<Layout>::get_alignment;
    type.iface.is_host = Functions<Layout>::is_host;
    type.device = ggml_device;
    type.context = &device;
    return type;
}

}  // namespace

HostBufferTypeEntry::HostBufferTypeEntry(PluginAbi abi, RemoteDevice& device,
                                         ggml_backend_dev_t ggml_device) {
    if (abi == PluginAbi::kVersion2)
        type_ = make<ggml_backend_buffer_type_v2>(device, ggml_device);
    else
        type_ = make<ggml_backend_buffer_type>(device, ggml_device);
}

ggml_backend_buffer_type_t HostBufferTypeEntry::get() {
    return std::visit(
        [](auto& type) { return reinterpret_cast<ggml_backend_buffer_type_t>(&type); }, type_);
}

}  // namespace virtgpu::frontend
