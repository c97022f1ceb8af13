#include "frontend/transport/legacy_transport.h"

#include <xf86drm.h>

#include <cerrno>

namespace virtgpu::frontend {

using wire::Result;

Result<std::unique_ptr<SharedRegion>> LegacyTransport::create_region(size_t size) {
    TRY(check_owner());
    size = whole_pages(size);
    TRY(check_guest_memory_size(size));
    uapi::ResourceCreate resource{};
    resource.width = static_cast<uint32_t>(size);
    resource.height = 1;
    resource.depth = 1;
    resource.array_size = 1;
    resource.size = static_cast<uint32_t>(size);
    if (drmIoctl(node().number(), uapi::kIoctlResourceCreate, &resource) != 0)
        return wire::system_failure(errno, wire::format("creating a region of {} bytes", size));
    auto region = TRY(map(resource.bo_handle, resource.res_handle, size));
    TRY(check_host_has(*region));
    return region;
}

}  // namespace virtgpu::frontend
