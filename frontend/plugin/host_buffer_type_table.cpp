#include "frontend/plugin/host_buffer_type_table.h"

#include "frontend/plugin/boundary.h"
#include "frontend/plugin/device_table.h"

namespace virtgpu::frontend {

namespace {

template <typename Layout>
struct HostMemoryFunctions {
    static DeviceEntry& device(ggml_backend_buffer_type_t type) {
        return BufferTypeLayout::device<Layout>(type);
    }

    static const char* get_name(ggml_backend_buffer_type_t type) {
        return device(type).host_memory_name().c_str();
    }

    static void free_buffer(ggml_backend_buffer_t buffer) {
        DeviceEntry& entry = device(buffer->buft);
        // In a forked child another thread may hold the locks for ever.
        if (entry.device()->connection().health().is_copy())
            return;
        at_boundary(entry.log(), 0, [&] {
            entry.host_memory().free(static_cast<std::byte*>(buffer->context));
            return 0;
        });
    }

    static ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
        DeviceEntry& entry = device(type);
        wire::Log& log = entry.log();
        return at_boundary(log, ggml_backend_buffer_t{}, [&]() -> ggml_backend_buffer_t {
            const auto memory = entry.host_memory().allocate(entry.working_device(), size);
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

HostBufferTypeEntry::HostBufferTypeEntry(PluginAbi abi, DeviceEntry& device) {
    make<HostMemoryFunctions>(abi, device, device.get());
}

wire::Result<std::byte*> HostBufferTypeEntry::allocate(std::shared_ptr<Device> device,
                                                       size_t size) {
    std::byte* const memory = TRY(device->connection().allocate_host_memory(size));
    const std::lock_guard lock(mutex_);
    owners_.insert_or_assign(memory, std::move(device));
    return memory;
}

void HostBufferTypeEntry::free(std::byte* memory) {
    std::shared_ptr<Device> owner;
    {
        const std::lock_guard lock(mutex_);
        owner = std::move(owners_.extract(memory).mapped());
    }
    owner->connection().free_host_memory(memory);
}

}  // namespace virtgpu::frontend
