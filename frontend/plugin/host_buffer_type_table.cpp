#include "frontend/plugin/host_buffer_type_table.h"

#include "frontend/plugin/boundary.h"

namespace virtgpu::frontend {

namespace {

template <typename Layout>
struct Functions {
    static Device& device(ggml_backend_buffer_type_t type) {
        return BufferTypeLayout::device<Layout>(type);
    }

    static const char* get_name(ggml_backend_buffer_type_t type) {
        return device(type).host_memory_name().c_str();
    }

    static void free_buffer(ggml_backend_buffer_t buffer) {
        HostConnection& connection = device(buffer->buft).connection();
        // In a forked child another thread may hold the locks for ever.
        if (connection.health().is_copy())
            return;
        at_boundary(connection.log(), 0, [&] {
            connection.free_host_memory(static_cast<std::byte*>(buffer->context));
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

    template <typename Interface>
    static void fill(Interface& iface) {
        iface.get_name = get_name;
        iface.alloc_buffer = alloc_buffer;
        iface.get_alignment = get_alignment;
        iface.is_host = is_host;
    }
};

}  // namespace

HostBufferTypeEntry::HostBufferTypeEntry(PluginAbi abi, Device& device,
                                         ggml_backend_dev_t ggml_device) {
    make<Functions>(abi, device, ggml_device);
}

}  // namespace virtgpu::frontend
