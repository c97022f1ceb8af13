#include "frontend/transport/drm_transport.h"

#include <poll.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cerrno>
#include <utility>

#include "frontend/level1_command.h"
#include "frontend/transport/blob_transport.h"
#include "frontend/transport/device_parameters.h"
#include "frontend/transport/legacy_transport.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/time.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

constexpr std::chrono::milliseconds kFirstAnswerTimeout(2000);
// Of a device that may be another host's, whose user is not to notice us.
constexpr std::chrono::milliseconds kForeignAnswerTimeout(200);

// Of a command that is waited for by its fence, which must not come after a ring's next signal.
constexpr uint32_t kTimeLineOfNoRing = protocol::kMaxRings;

// At most half of all pieces that the host takes (protocol::kMaxPieces), each a page.
constexpr size_t kLargestGuestRegion = size_t{64} << 20;

CapsetOffer offer(const FileDescriptor& node, uint32_t capset) {
    CapsetWords words{};
    uapi::GetCaps request{capset, 0, uapi::address_of(words.data()), sizeof words, 0};
    if (drmIoctl(node.number(), uapi::kIoctlGetCaps, &request) != 0)
        return CapsetOffer::kNone;
    return offer_of(words);
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

Result<std::unique_ptr<DrmTransport>> DrmTransport::open(FileDescriptor node, std::string name,
                                                         bool apir_capset_only) {
    const DeviceParameters has = device_parameters(node.number());
    if (!has.three_d)
        return wire::fail(Fault::kRefused, "the device has no 3D");
    const CapsetOffers offers{offer(node, protocol::kCapsetApir),
                              offer(node, protocol::kCapsetVenus)};
    if (!has.context_types && offers.apir == CapsetOffer::kOurs)
        return std::make_unique<LegacyTransport>(std::move(node), std::move(name));
    const auto choice = TRY(choose_capset(offers, apir_capset_only));
    if (!has.context_types)
        return wire::fail(Fault::kRefused, "the device has no context types");
    if (!has.blobs)
        return wire::fail(Fault::kRefused, "the device has no blobs");
    const auto memory =
        has.host_visible ? BlobTransport::Memory::kHost : BlobTransport::Memory::kGuest;
    return BlobTransport::open(std::move(node), std::move(name), choice, memory);
}

Result<std::unique_ptr<DrmTransport>> DrmTransport::create(FileDescriptor node, std::string name,
                                                           bool apir_capset_only) {
    auto transport = TRY(open(std::move(node), std::move(name), apir_capset_only));
    TRY(transport->check_device_answers());
    return transport;
}

Result<void> DrmTransport::check_owner() const {
    if (!owner_.is_this())
        return wire::fail(Fault::kLost, "this process is a fork of the connection's owner");
    return {};
}

// All before is answered by the kernel, which knows nothing of a device process that died; the
// first mapping would wait for it in the kernel for ever.
Result<void> DrmTransport::check_device_answers() const {
    // No ring is open: the device completes the fence at once.
    const FileDescriptor fence =
        TRY(submit_with_fence(doorbell_command(0, Doorbell::kWait).bytes(), 0));
    const auto answered = await(fence, certain() ? kFirstAnswerTimeout : kForeignAnswerTimeout);
    if (!answered && !certain())
        return wire::fail(Fault::kRefused, "{}", answered.error().message());
    return answered;
}

Result<void> DrmTransport::await(const FileDescriptor& fence,
                                 std::chrono::milliseconds timeout) const {
    pollfd entry{fence.number(), POLLIN, 0};
    int ready = 0;
    do
        ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return wire::system_failure(errno, "waiting for the device");
    if (ready == 0)
        return wire::fail(Fault::kLost, "the device does not answer; {}", advice());
    return {};
}

size_t DrmTransport::whole_pages(size_t size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    return (size + page - 1) / page * page;
}

Result<void> DrmTransport::check_guest_memory_size(size_t size) {
    if (size > kLargestGuestRegion)
        return wire::fail(Fault::kRefused, "{} bytes of guest memory where a region has at most {}",
                          size, kLargestGuestRegion);
    return {};
}

Result<void> DrmTransport::check_host_has(const SharedRegion& region) const {
    const wire::Writer ping = forward_command(protocol::ApirForward::kPing, region.number());
    TRY(await(TRY(submit_with_fence(ping.bytes(), kTimeLineOfNoRing)), kFirstAnswerTimeout));
    std::array<std::byte, sizeof(uint32_t) + protocol::ApirPingReply::kEncodedBytes> answer{};
    TRY(region.memory()->copy_out(0, answer));
    constexpr decltype(answer) kNone{};
    if (answer == kNone)
        return wire::fail(Fault::kRefused, "the host cannot use {} bytes of guest memory",
                          region.memory()->size());
    return region.memory()->copy_in(0, kNone);
}

Result<std::unique_ptr<SharedRegion>> DrmTransport::map(uint32_t handle, uint32_t number,
                                                        size_t size) {
    uapi::Map request{};
    request.handle = handle;
    if (drmIoctl(node_.number(), uapi::kIoctlMap, &request) != 0) {
        const int reason = errno;
        close_handle(handle);
        return wire::system_failure(reason, "asking for a region's place");
    }
    // The whole object: Linux 6.12 refuses to map parts of one.
    auto memory = wire::map_region(node_.number(), size, static_cast<int64_t>(request.offset));
    if (!memory) {
        close_handle(handle);
        return tl::unexpected(memory.error());
    }
    return std::make_unique<DrmRegion>(*this, handle, number, *memory);
}

Result<void> DrmTransport::execute(std::span<const std::byte> command, uapi::Execbuffer& request,
                                   uint32_t ring) const {
    std::vector<std::byte> renumbered;
    if (choice_.capset == protocol::kCapsetVenus)
        command = renumbered = on_venus(command);
    request.size = static_cast<uint32_t>(command.size());
    request.command = uapi::address_of(command.data());
    choose_time_line(request, ring);
    count_message();
    if (drmIoctl(node_.number(), uapi::kIoctlExecbuffer, &request) != 0)
        return wire::system_failure(errno, "sending a command to the device");
    return {};
}

Result<void> DrmTransport::submit(std::span<const std::byte> command) {
    TRY(check_owner());
    uapi::Execbuffer request{};
    return execute(command, request, 0);
}

Result<FileDescriptor> DrmTransport::submit_with_fence(std::span<const std::byte> command,
                                                       uint32_t ring) const {
    uapi::Execbuffer request{};
    request.flags = uapi::kFenceFdOut;
    request.fence_fd = -1;
    TRY(execute(command, request, ring));
    return FileDescriptor(request.fence_fd);
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

// Whoever rings a stream's bell mostly waits a moment later. A doorbell with a fence is both in one
// command. Not on ring 0, whose time line is that of all other commands.
Result<void> DrmTransport::doorbell(uint32_t ring) {
    TRY(check_owner());
    return ring == 0 || is_armed(ring) ? submit(doorbell_command(ring, Doorbell::kRing).bytes())
                                       : arm_fence(ring);
}

// A fence that has completed meanwhile says nothing of what comes next.
bool DrmTransport::is_armed(uint32_t ring) {
    pollfd fence{fences_[ring].number(), POLLIN, 0};
    if (fences_[ring] && ::poll(&fence, 1, 0) != 0)
        fences_[ring].reset();
    return static_cast<bool>(fences_[ring]);
}

Result<void> DrmTransport::arm_fence(uint32_t ring) {
    fences_[ring] = TRY(submit_with_fence(doorbell_command(ring, Doorbell::kWait).bytes(), ring));
    return {};
}

Result<void> DrmTransport::wait(uint32_t ring, std::chrono::microseconds timeout) {
    TRY(check_owner());
    // A fence that a doorbell or an earlier wait left behind completes with the ring's next signal.
    if (!fences_[ring])
        TRY(arm_fence(ring));
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
