#include "frontend/transport/blob_transport.h"

#include <xf86drm.h>

#include <array>
#include <cerrno>

namespace virtgpu::frontend {

using wire::FileDescriptor;
using wire::Result;

namespace {

// The kernel's limit; a ring's number is the index of its timeline.
constexpr uint64_t kTimelines = 64;
static_assert(protocol::kMaxRings < kTimelines);

}  // namespace

Result<std::unique_ptr<DrmTransport>> BlobTransport::open(FileDescriptor node, std::string name,
                                                          const CapsetChoice& choice,
                                                          Memory memory) {
    auto transport =
        std::make_unique<BlobTransport>(std::move(node), std::move(name), choice, memory);
    TRY(transport->init_context());
    return transport;
}

Result<void> BlobTransport::init_context() const {
    std::array<uapi::ContextSetParam, 3> parameters{{
        {uapi::kContextParamCapsetId, choice().capset},
        {uapi::kContextParamNumRings, kTimelines},
        // No DRM events: a file with 512 unread ones refuses further commands.
        {uapi::kContextParamPollRingsMask, 0},
    }};
    uapi::ContextInit request{parameters.size(), 0, uapi::address_of(parameters.data())};
    if (drmIoctl(node().number(), uapi::kIoctlContextInit, &request) != 0)
        return wire::system_failure(errno, "opening a context on the device");
    return {};
}

Result<std::unique_ptr<SharedRegion>> BlobTransport::create_region(size_t size) {
    TRY(check_owner());
    size = whole_pages(size);
    if (memory_ == Memory::kGuest)
        TRY(check_guest_memory_size(size));
    uapi::ResourceCreateBlob blob{};
    blob.blob_mem = memory_ == Memory::kHost ? uapi::kBlobMemHost3d : uapi::kBlobMemGuest;
    blob.blob_flags = uapi::kBlobFlagUseMappable;
    blob.size = size;
    if (drmIoctl(node().number(), uapi::kIoctlCreateBlob, &blob) != 0)
        return wire::system_failure(errno, wire::format("creating a region of {} bytes", size));
    auto region = TRY(map(blob.bo_handle, blob.res_handle, size));
    if (memory_ == Memory::kGuest)
        TRY(check_host_has(*region));
    return region;
}

void BlobTransport::choose_time_line(uapi::Execbuffer& request, uint32_t ring) const {
    // Without this flag the kernel asks the device for a fence on the global timeline.
    request.flags |= uapi::kRingIdx;
    request.ring_idx = ring;
}

}  // namespace virtgpu::frontend
