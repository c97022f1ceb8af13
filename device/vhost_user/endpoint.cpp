#include "device/vhost_user/endpoint.h"

#include <algorithm>
#include <utility>

#include "device/gpu/response.h"
#include "device/limits.h"
#include "device/vhost_user/protocol.h"
#include "wire/writer.h"

namespace virtgpu::vhost_user {

using wire::Fault;

namespace {

constexpr uint64_t bit(unsigned number) {
    return uint64_t{1} << number;
}

constexpr uint64_t kFeatures = bit(gpu::kFeatureVirgl) | bit(gpu::kFeatureResourceBlob) |
                               bit(gpu::kFeatureContextInit) | bit(kFeatureIndirect) |
                               bit(kFeatureEventIndex) | bit(kFeatureProtocolFeatures) |
                               bit(kFeatureVersion1);
// What the VMM may agree on without us.
constexpr uint64_t kVmmFeatures = bit(kFeatureRingReset);
constexpr uint64_t kProtocolFeatures = bit(kProtocolMultiQueue) | bit(kProtocolReplyAck) |
                                       bit(kProtocolBackendRequests) | bit(kProtocolConfig) |
                                       bit(kProtocolBackendSendFile) | bit(kProtocolResetDevice) |
                                       bit(kProtocolSharedMemory);

// A scanout that is never connected, because Linux before 6.4 refuses a device with none.
constexpr uint32_t kScanouts = 1;

// struct virtio_gpu_config: events to read and to clear, scanouts, capsets; later versions of the
// specification append a blob alignment, where 0 is none.
std::vector<std::byte> configuration(const gpu::Device& device) {
    wire::Writer writer;
    for (const uint32_t word : {0U, 0U, kScanouts, device.capsets()})
        writer.number(word);
    std::vector<std::byte> bytes(writer.bytes().begin(), writer.bytes().end());
    bytes.resize(kMaxConfigBytes);
    return bytes;
}

}  // namespace

Endpoint::Endpoint(FileDescriptor socket, gpu::Device& device, virtio::GuestMemory& memory,
                   BackendChannel& channel, device::EventLoop& loop, wire::Log& log,
                   std::function<void()> on_closed)
    : socket_(std::move(socket)),
      device_(device),
      channel_(channel),
      log_(log),
      on_closed_(std::move(on_closed)),
      memory_(memory),
      control_(0, memory_, loop, log, [this](const auto& chain) { take_control(chain); }),
      cursor_(1, memory_, loop, log, [this](const auto& chain) { take_cursor(chain); }) {}

Result<std::unique_ptr<Endpoint>> Endpoint::create(FileDescriptor socket, gpu::Device& device,
                                                   virtio::GuestMemory& memory,
                                                   BackendChannel& channel, device::EventLoop& loop,
                                                   wire::Log& log,
                                                   std::function<void()> on_closed) {
    std::unique_ptr<Endpoint> endpoint(
        new Endpoint(std::move(socket), device, memory, channel, loop, log, std::move(on_closed)));
    endpoint->watch_ = TRY(loop.watch(endpoint->socket_.number(), device::Interest::kReadable,
                                      [self = endpoint.get()] { self->readable(); }));
    return endpoint;
}

void Endpoint::readable() {
    const auto received = receive();
    if (received)
        return;
    if (received.error().fault() == Fault::kLost)
        log_.info("{}", received.error().message());
    else
        log_.error("the connection to the VMM is closed: {}", received.error().message());
    watch_.reset();
    control_.stop();
    cursor_.stop();
    device_.reset();
    on_closed_();
}

Result<void> Endpoint::receive() {
    while (true) {
        auto message = TRY(socket_.receive());
        if (!message)
            return {};
        TRY(serve(std::move(*message)));
    }
}

Result<void> Endpoint::serve(Message message) {
    const uint32_t type = message.request;
    const bool wants_reply = (message.flags & Message::kNeedReply) != 0 &&
                             (protocol_features_ & bit(kProtocolReplyAck)) != 0;
    auto request = TRY(decode_request(std::move(message)));
    const auto answered =
        TRY(std::visit([this](auto& decoded) { return handle(decoded); }, request));
    if (answered == Answered::kNo && wants_reply)
        TRY(reply_number(static_cast<RequestType>(type), 0));
    return {};
}

Result<Endpoint::Answered> Endpoint::reply(RequestType type, std::span<const std::byte> payload) {
    TRY(socket_.send(static_cast<uint32_t>(type), Message::kReply, payload));
    return Answered::kYes;
}

Result<Endpoint::Answered> Endpoint::reply_number(RequestType type, uint64_t value) {
    wire::Writer writer;
    writer.number(value);
    return reply(type, writer.bytes());
}

Result<Endpoint::Answered> Endpoint::handle(GetFeatures& /*request*/) {
    return reply_number(RequestType::kGetFeatures, kFeatures);
}

Result<Endpoint::Answered> Endpoint::handle(SetFeatures& request) {
    if ((request.features & ~(kFeatures | kVmmFeatures)) != 0)
        return fail(Fault::kPeer, "features {:#x} were not offered", request.features);
    features_ = request.features;
    device_.negotiate((features_ & bit(gpu::kFeatureContextInit)) != 0);
    control_.set_features(features_);
    cursor_.set_features(features_);
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetOwner& /*request*/) {
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GetProtocolFeatures& /*request*/) {
    return reply_number(RequestType::kGetProtocolFeatures, kProtocolFeatures);
}

Result<Endpoint::Answered> Endpoint::handle(SetProtocolFeatures& request) {
    if ((request.features & ~kProtocolFeatures) != 0)
        return fail(Fault::kPeer, "protocol features {:#x} were not offered", request.features);
    protocol_features_ = request.features;
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GetQueueCount& /*request*/) {
    return reply_number(RequestType::kGetQueueCount, kQueues);
}

Result<Endpoint::Answered> Endpoint::handle(SetMemoryTable& request) {
    using Reported = BackendChannel::WindowReported;
    memory_.clear();
    auto reported = Reported::kNo;
    for (const MemoryRegion& region : request.regions) {
        const auto identity = TRY(device::FileIdentity::of(region.file.number()));
        if (!channel_.is_ours(identity)) {
            TRY(memory_.add(region.range, region.file.number()));
            continue;
        }
        // The guest must not have us read its requests from there.
        TRY(memory_.add_unusable(region.range));
        reported = Reported::kYes;
    }
    if (channel_.was_dropped(reported))
        reset_device("the VMM dropped the window");
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetVringSize& request) {
    TRY(vring(request.vring).set_size(request.size));
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetVringAddress& request) {
    vring(request.vring).set_addresses(request);
    return Answered::kNo;
}

// A VM that was paused goes on where it stopped; a driver that starts anew counts from 0.
Result<Endpoint::Answered> Endpoint::handle(SetVringBase& request) {
    if (request.vring == 0 && request.index != control_.next())
        reset_device("the driver starts anew");
    vring(request.vring).set_next(static_cast<uint16_t>(request.index));
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GetVringBase& request) {
    Vring& ring = vring(request.vring);
    ring.stop();
    if (request.vring == 0)
        device_.pause();
    ready_ = false;
    wire::Writer writer;
    writer.number(request.vring);
    writer.number(uint32_t{ring.next()});
    return reply(RequestType::kGetVringBase, writer.bytes());
}

Result<Endpoint::Answered> Endpoint::handle(SetVringKick& request) {
    TRY(vring(request.vring).set_kick(std::move(request.file)));
    note_when_ready();
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetVringCall& request) {
    TRY(vring(request.vring).set_call(std::move(request.file)));
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetVringError& request) {
    TRY(vring(request.vring).set_error(std::move(request.file)));
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetVringEnable& request) {
    TRY(vring(request.vring).set_enabled(request.enable));
    note_when_ready();
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(SetBackendChannel& request) {
    TRY(channel_.connect(std::move(request.file)));
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GetConfig& request) {
    const auto bytes = configuration(device_);
    wire::Writer writer;
    writer.number(request.offset);
    writer.number(request.size);
    writer.number(request.flags);
    for (uint32_t i = 0; i < request.size; ++i) {
        const size_t place = size_t{request.offset} + i;
        *writer.extend(1) = place < bytes.size() ? bytes[place] : std::byte{0};
    }
    return reply(RequestType::kGetConfig, writer.bytes());
}

Result<Endpoint::Answered> Endpoint::handle(SetConfig& /*request*/) {
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GpuSetSocket& request) {
    gpu_socket_ = std::move(request.file);
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(ResetDevice& /*request*/) {
    control_.stop();
    cursor_.stop();
    control_.set_next(0);
    cursor_.set_next(0);
    reset_device("the guest was reset");
    return Answered::kNo;
}

Result<Endpoint::Answered> Endpoint::handle(GetSharedMemoryConfig& /*request*/) {
    const bool has_window = channel_.size() != 0;
    wire::Writer writer;
    writer.number(has_window ? 1U : 0U);
    writer.number(0U);  // padding
    for (size_t id = 0; id < kSharedMemoryRegions; ++id)
        writer.number(id == gpu::kHostVisibleRegion ? channel_.size() : uint64_t{0});
    return reply(RequestType::kGetSharedMemoryConfig, writer.bytes());
}

// Whatever it was, carrying on as if it had been done would be worse.
Result<Endpoint::Answered> Endpoint::handle(UnknownRequest& request) {
    return fail(Fault::kPeer, "vhost-user request {}, which was not offered", request.request);
}

void Endpoint::reset_device(const char* why) {
    log_.debug("reset: {}", why);
    device_.reset();
    control_.forget_answers();
    cursor_.forget_answers();
}

void Endpoint::note_when_ready() {
    if (ready_ || !control_.running())
        return;
    ready_ = true;
    device_.resume();
    log_ready();
}

void Endpoint::log_ready() const {
    constexpr uint64_t kNeeded = bit(gpu::kFeatureContextInit) | bit(gpu::kFeatureResourceBlob);
    const bool whole = (features_ & kNeeded) == kNeeded;
    if (whole && channel_.size() != 0)
        log_.info("device ready: virtio features {:#x}, vhost-user features {:#x}, window {} MiB",
                  features_, protocol_features_, channel_.size() >> 20U);
    else
        log_.info(
            "device ready without {}, its regions are the guest's own memory: virtio features "
            "{:#x}, vhost-user features {:#x}",
            whole ? "a window" : "context types or blobs", features_, protocol_features_);
}

void Endpoint::take_control(const virtio::Chain& chain) {
    const auto bytes = chain.readable_size() <= device::kMaxControlBytes
                           ? virtio::read_chain(memory_, chain, device::kMaxControlBytes)
                           // Enough to refuse it with its fence.
                           : virtio::read_chain(memory_, chain, gpu::Header::kSize);
    if (!bytes) {
        log_.warning("a control command cannot be read: {}", bytes.error().message());
        return control_.answer(chain, {});
    }
    device_.execute(
        *bytes, [this, space = virtio::answer_space(chain, gpu::kMaxResponseBytes)](
                    const std::vector<std::byte>& response) { control_.answer(space, response); });
}

// There is no display, hence no cursor.
void Endpoint::take_cursor(const virtio::Chain& chain) {
    cursor_.answer(chain, {});
}

}  // namespace virtgpu::vhost_user
