#include "frontend/plugin/buffer_type_table.h"

#include "frontend/plugin/boundary.h"
#include "frontend/plugin/buffer_table.h"
#include "frontend/plugin/device_table.h"

namespace virtgpu::frontend {

namespace {

template <typename Layout>
struct DeviceMemoryFunctions {
    static DeviceEntry& device(ggml_backend_buffer_type_t type) {
        return BufferTypeLayout::device<Layout>(type);
    }

    static const char* get_name(ggml_backend_buffer_type_t type) {
        return device(type).name().c_str();
    }

    static ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
        wire::Log& log = device(type).log();
        return at_boundary(log, ggml_backend_buffer_t{}, [&]() -> ggml_backend_buffer_t {
            auto buffer = device(type).use(
                [size](const std::shared_ptr<Device>& owner) -> wire::Result<OwnedBuffer> {
                    return OwnedBuffer{owner, TRY(owner->allocate(size))};
                });
            if (!buffer) {
                log.error("{}", buffer.error().message());
                return nullptr;
            }
            return make_ggml_buffer(type, std::move(*buffer), size);
        });
    }

    static size_t get_alignment(ggml_backend_buffer_type_t type) {
        return device(type).device()->alignment();
    }

    static size_t get_max_size(ggml_backend_buffer_type_t type) {
        return device(type).device()->max_buffer_size();
    }

    static size_t get_alloc_size(ggml_backend_buffer_type_t type, const ggml_tensor* tensor) {
        return at_boundary(device(type).log(), ggml_nbytes(tensor),
                           [&] { return device(type).device()->alloc_size(*tensor); });
    }

    static bool is_host(ggml_backend_buffer_type_t /*type*/) { return false; }

    template <typename Interface>
    static void fill(Interface& iface) {
        iface.get_name = get_name;
        iface.alloc_buffer = alloc_buffer;
        iface.get_alignment = get_alignment;
        iface.get_max_size = get_max_size;
        iface.get_alloc_size = get_alloc_size;
        iface.is_host = is_host;
    }
};

}  // namespace

BufferTypeEntry::BufferTypeEntry(PluginAbi abi, DeviceEntry& device) {
    make<DeviceMemoryFunctions>(abi, device, device.get());
}

}  // namespace virtgpu::frontend
