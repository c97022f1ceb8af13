#include "frontend/transport/drm_transport.h"

#include <poll.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cerrno>
#include <utility>

#include "frontend/level1_command.h"
#include "frontend/transport/device_parameters.h"
#include "frontend/transport/virtgpu_uapi.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/time.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

// The kernel's limit; a ring's number is the index of its timeline.
constexpr uint64_t kTimelines = 64;
static_assert(protocol::kMaxRings < kTimelines);

constexpr std::chrono::milliseconds kFirstAnswerTimeout(2000);
// Of a device that may be another host's, whose user is not to notice us.
constexpr std::chrono::milliseconds kForeignAnswerTimeout(200);

uint64_t address_of(const void* object) {
    return reinterpret_cast<uintptr_t>(object);
}

}  // namespace

class DrmRegion : public SharedRegion {
 public:
    DrmRegion(DrmTransport& transport, uint32_t handle, uint32_t number,
              std::shared_ptr<wire::Region> memory)
        : SharedRegion(number, std::move(memory)), transport_(transport), handle_(handle) {}
    ~DrmRegion() override { transport_.close_handle(handle_); }
    DrmRegion(const DrmRegion&) = delete;
    DrmRegion& operator=(const DrmRegion&) = delete;

 private:
    DrmTransport& transport_;
    uint32_t handle_;
};

Result<std::unique_ptr<DrmTransport>> DrmTransport::create(FileDescriptor node, std::string name,
                                                           bool apir_capset_only) {
    std::unique_ptr<DrmTransport> transport(new DrmTransport(std::move(node), std::move(name)));
    TRY(transport->check_parameters());
    transport->choice_ = TRY(choose_capset(
        {transport->offer(protocol::kCapsetApir), transport->offer(protocol::kCapsetVenus)},
        apir_capset_only));
    TRY(transport->init_context());
    TRY(transport->check_device_answers());
    return transport;
}

Result<void> DrmTransport::check_parameters() const {
    const DeviceParameters has = device_parameters(node_.number());
    for (const auto& [there, name] : {std::pair(has.three_d, "3D"), std::pair(has.blobs, "blobs"),
                                      std::pair(has.host_visible, "host-visible memory"),
                                      std::pair(has.context_types, "context types")})
        if (!there)
            return wire::fail(Fault::kRefused, "the device has no {}", name);
    return {};
}

CapsetOffer DrmTransport::offer(uint32_t capset) const {
    CapsetWords words{};
    uapi::GetCaps request{capset, 0, address_of(words.data()), sizeof words, 0};
    if (drmIoctl(node_.number(), uapi::kIoctlGetCaps, &request) != 0)
        return CapsetOffer::kNone;
    return offer_of(words);
}

Result<void> DrmTransport::init_context() const {
    std::array<uapi::ContextSetParam, 3> parameters{{
        {uapi::kContextParamCapsetId, choice_.capset},
        {uapi::kContextParamNumRings, kTimelines},
        // No DRM events: a file with 512 unread ones refuses further commands.
        {uapi::kContextParamPollRingsMask, 0},
    }};
    uapi::ContextInit request{parameters.size(), 0, address_of(parameters.data())};
    if (drmIoctl(node_.number(), uapi::kIoctlContextInit, &request) != 0)
        return wire::system_failure(errno, "opening a context on the device");
    return {};
}

// All before is answered by the kernel, which knows nothing of a device process that died; the
// first mapping would wait for it in the kernel for ever.
Result<void> DrmTransport::check_device_answers() const {
    // No ring is open: the device completes the fence at once.
    const FileDescriptor fence = TRY(doorbell_with_fence(0));
    const auto timeout = certain() ? kFirstAnswerTimeout : kForeignAnswerTimeout;
    pollfd entry{fence.number(), POLLIN, 0};
    int ready = 0;
    do
        ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return wire::system_failure(errno, "waiting for the device's first answer");
    if (ready == 0)
        return wire::fail(certain() ? Fault::kLost : Fault::kRefused,
                          "the device does not answer; {}", advice());
    return {};
}

Result<std::unique_ptr<SharedRegion>> DrmTransport::create_region(size_t size) {
    if (!owner_.is_this())
        return wire::fail(Fault::kLost, "this process is a fork of the connection's owner");
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    size = (size + page - 1) / page * page;
    uapi::ResourceCreateBlob blob{};
    blob.blob_mem = uapi::kBlobMemHost3d;
    blob.blob_flags = uapi::kBlobFlagUseMappable;
    blob.size = size;
    if (drmIoctl(node_.number(), uapi::kIoctlCreateBlob, &blob) != 0)
        return wire::system_failure(errno, wire::format("creating a region of {} bytes", size));
    uapi::Map map{};
    map.handle = blob.bo_handle;
    if (drmIoctl(node_.number(), uapi::kIoctlMap, &map) != 0) {
        const int reason = errno;
        close_handle(blob.bo_handle);
        return wire::system_failure(reason, "asking for a region's place");
    }
    // The whole object: Linux 6.12 refuses to map parts of one.
    auto memory = wire::map_region(node_.number(), size, static_cast<int64_t>(map.offset));
    if (!memory) {
        close_handle(blob.bo_handle);
        return tl::unexpected(memory.error());
    }
    return std::make_unique<DrmRegion>(*this, blob.bo_handle, blob.res_handle, *memory);
}

Result<void> DrmTransport::execute(std::span<const std::byte> command,
                                   uapi::Execbuffer& request) const {
    std::vector<std::byte> renumbered;
    if (choice_.capset == protocol::kCapsetVenus)
        command = renumbered = on_venus(command);
    request.size = static_cast<uint32_t>(command.size());
    request.command = address_of(command.data());
    // Without this flag the kernel asks the device for a fence on the global timeline.
    request.flags |= uapi::kRingIdx;
    if (drmIoctl(node_.number(), uapi::kIoctlExecbuffer, &request) != 0)
        return wire::system_failure(errno, "sending a command to the device");
    return {};
}

Result<void> DrmTransport::submit(std::span<const std::byte> command) {
    if (!owner_.is_this())
        return wire::fail(Fault::kLost, "this process is a fork of the connection's owner");
    uapi::Execbuffer request{};
    return execute(command, request);
}

Result<void> DrmTransport::open_signals(uint32_t ring) {
    if (ring >= fences_.size())
        return wire::fail(Fault::kRefused, "ring {} has no timeline", ring);
    fences_[ring].reset();
    return {};
}

void DrmTransport::close_signals(uint32_t ring) {
    fences_[ring].reset();
}

Result<void> DrmTransport::doorbell(uint32_t ring) {
    return submit(doorbell_command(ring).bytes());
}

Result<FileDescriptor> DrmTransport::doorbell_with_fence(uint32_t ring) const {
    const wire::Writer command = doorbell_command(ring);
    uapi::Execbuffer request{};
    request.flags = uapi::kFenceFdOut;
    request.fence_fd = -1;
    request.ring_idx = ring;
    TRY(execute(command.bytes(), request));
    return FileDescriptor(request.fence_fd);
}

Result<void> DrmTransport::wait(uint32_t ring, std::chrono::microseconds timeout) {
    if (!owner_.is_this())
        return wire::fail(Fault::kLost, "this process is a fork of the connection's owner");
    // A fence that an earlier wait left behind still completes with the ring's next signal.
    if (!fences_[ring])
        fences_[ring] = TRY(doorbell_with_fence(ring));
    pollfd fence{fences_[ring].number(), POLLIN, 0};
    const timespec limit = wire::to_timespec(timeout);
    const int ready = ::ppoll(&fence, 1, &limit, nullptr);
    if (ready < 0 && errno != EINTR)
        return wire::system_failure(errno, "waiting for a fence");
    if (ready > 0)
        fences_[ring].reset();
    return {};
}

void DrmTransport::close_handle(uint32_t handle) const {
    if (!owner_.is_this())
        return;
    drm_gem_close request{handle, 0};
    drmIoctl(node_.number(), DRM_IOCTL_GEM_CLOSE, &request);
}

}  // namespace virtgpu::frontend
