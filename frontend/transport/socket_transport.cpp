#include "frontend/transport/socket_transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "frontend/quietly.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/time.h"

namespace virtgpu::frontend {

using protocol::ContainerMessage;
using wire::Fault;
using wire::FileDescriptor;
using wire::Result;
using wire::Writer;

namespace {

constexpr std::chrono::seconds kAnswerTimeout(5);
// Pages of a region are there when its creation is answered. A host that is gone shows at once: its
// socket closes.
constexpr uint64_t kSlowestBytesPerSecond = uint64_t{32} << 20;
constexpr size_t kHeaderBytes = 2 * sizeof(uint32_t);

// A file that could still shrink would turn a later access into SIGBUS.
Result<void> check_sealed(int file, uint64_t size) {
    struct stat status {};
    if (::fstat(file, &status) != 0)
        return wire::system_failure(errno, "looking at a region");
    const int seals = ::fcntl(file, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || static_cast<uint64_t>(status.st_size) < size)
        return wire::fail(Fault::kPeer, "the host's region is not a sealed file of {} bytes", size);
    return {};
}

// What a host said that serves nobody here; nothing where the packet says something else.
std::optional<wire::Error> refusal_in(const wire::Packet& packet) {
    const auto id = wire::Reader(packet.bytes).number<uint32_t>();
    if (!id || *id != static_cast<uint32_t>(ContainerMessage::kRefused))
        return std::nullopt;
    const auto fields =
        std::span(packet.bytes).subspan(std::min(kHeaderBytes, packet.bytes.size()));
    const auto said = wire::decode_whole<protocol::ContainerRefusedReply>(fields);
    return wire::Error(Fault::kRefused, wire::format("the host refuses this program: {}",
                                                     said ? said->reason : "it does not say why"));
}

}  // namespace

class SocketRegion : public SharedRegion {
 public:
    SocketRegion(SocketTransport& transport, uint32_t number, std::shared_ptr<wire::Region> memory)
        : SharedRegion(number, std::move(memory)), transport_(transport) {}
    ~SocketRegion() override {
        quietly([this] { transport_.destroy_region(number()); });
    }
    SocketRegion(const SocketRegion&) = delete;
    SocketRegion& operator=(const SocketRegion&) = delete;

 private:
    SocketTransport& transport_;
};

Result<std::unique_ptr<SocketTransport>> SocketTransport::connect(const std::string& path) {
    return std::make_unique<SocketTransport>(TRY(wire::PacketSocket::connect(path)));
}

Result<void> SocketTransport::check_owner() const {
    if (!owner_.is_this())
        return wire::fail(Fault::kLost, "this process is a fork of the connection's owner");
    return {};
}

Result<void> SocketTransport::send(ContainerMessage id, uint32_t serial, const Writer& fields) {
    TRY(check_owner());
    Writer message;
    message.number(static_cast<uint32_t>(id));
    message.number(serial);
    std::memcpy(message.extend(fields.bytes().size()), fields.bytes().data(),
                fields.bytes().size());
    return socket_.send(message.bytes());
}

Result<SocketTransport::Answer> SocketTransport::ask(ContainerMessage id, const Writer& fields,
                                                     std::chrono::seconds more_time) {
    TRY(check_owner());
    const std::lock_guard lock(asking_);
    const uint32_t serial = ++serial_;
    if (auto sent = send(id, serial, fields); !sent)
        return tl::unexpected(why(std::move(sent).error()));
    auto answer = await_answer(id, serial, kAnswerTimeout + more_time);
    if (!answer)
        return tl::unexpected(why(std::move(answer).error()));
    return answer;
}

Result<SocketTransport::Answer> SocketTransport::await_answer(ContainerMessage id, uint32_t serial,
                                                              std::chrono::seconds longest) {
    const auto deadline = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < deadline) {
        auto packet = TRY(socket_.receive(std::chrono::milliseconds(500)));
        if (!packet)
            continue;
        if (auto refused = refusal_in(*packet))
            return tl::unexpected(std::move(*refused));
        wire::Reader reader(packet->bytes);
        const auto answer_id = TRY(reader.number<uint32_t>());
        const auto answer_serial = TRY(reader.number<uint32_t>());
        // An answer that came too late for an earlier question is passed over.
        if (answer_id == static_cast<uint32_t>(id) && answer_serial == serial)
            return Answer{{packet->bytes.begin() + kHeaderBytes, packet->bytes.end()},
                          std::move(packet->files)};
    }
    return wire::fail(Fault::kLost, "the host does not answer on its socket");
}

// A host that refuses us closes the connection, which can show before what it said does.
wire::Error SocketTransport::why(wire::Error error) {
    if (error.fault() != Fault::kLost)
        return error;
    const auto packet = socket_.receive(std::chrono::milliseconds(0));
    const auto refused = packet && *packet ? refusal_in(**packet) : std::nullopt;
    return refused.value_or(error);
}

Result<std::unique_ptr<SharedRegion>> SocketTransport::create_region(size_t size) {
    Writer fields;
    TRY(encode(fields, protocol::ContainerCreateRegionRequest{size}));
    const Answer answer = TRY(ask(ContainerMessage::kCreateRegion, fields,
                                  std::chrono::seconds(size / kSlowestBytesPerSecond)));
    const auto reply = TRY(wire::decode_whole<protocol::ContainerCreateRegionReply>(answer.fields));
    if (reply.region == 0)
        return wire::fail(Fault::kRefused, "the host gives no region of {} bytes", size);
    if (answer.files.size() != 1 || reply.size < size)
        return wire::fail(Fault::kPeer, "the host's answer to CREATE_REGION is wrong");
    TRY(check_sealed(answer.files[0].number(), reply.size));
    auto memory = TRY(wire::map_region(answer.files[0].number(), reply.size));
    return std::make_unique<SocketRegion>(*this, reply.region, std::move(memory));
}

void SocketTransport::destroy_region(uint32_t number) {
    Writer fields;
    // Nothing can be done about a failure: the host frees everything when the socket closes.
    if (encode(fields, protocol::ContainerDestroyRegionRequest{number}))
        static_cast<void>(send(ContainerMessage::kDestroyRegion, 0, fields));
}

Result<void> SocketTransport::submit(std::span<const std::byte> command) {
    count_message();
    protocol::ContainerSubmitRequest request;
    request.command.resize((command.size() + sizeof(uint32_t) - 1) / sizeof(uint32_t));
    std::memcpy(request.command.data(), command.data(), command.size());
    Writer fields;
    TRY(encode(fields, request));
    return send(ContainerMessage::kSubmit, 0, fields);
}

Result<void> SocketTransport::open_signals(uint32_t ring) {
    if (ring >= signals_.size())
        return wire::fail(Fault::kRefused, "ring {} is over the limit", ring);
    Writer fields;
    TRY(encode(fields, protocol::ContainerGetRingEventsRequest{ring}));
    Answer answer = TRY(ask(ContainerMessage::kGetRingEvents, fields));
    const auto reply =
        TRY(wire::decode_whole<protocol::ContainerGetRingEventsReply>(answer.fields));
    if (reply.status != protocol::OpenStatus::kOk || answer.files.size() != 2)
        return wire::fail(Fault::kPeer, "the host gives no events for ring {}", ring);
    signals_[ring] = {std::move(answer.files[0]), std::move(answer.files[1])};
    return {};
}

void SocketTransport::close_signals(uint32_t ring) {
    signals_[ring] = {};
}

Result<void> SocketTransport::doorbell(uint32_t ring) {
    count_message();
    TRY(check_owner());
    const uint64_t one = 1;
    if (::write(signals_[ring].doorbell.number(), &one, sizeof one) != sizeof one &&
        errno != EAGAIN)
        return wire::system_failure(errno, "ringing a doorbell");
    return {};
}

Result<void> SocketTransport::wait(uint32_t ring, std::chrono::microseconds timeout) {
    TRY(check_owner());
    // No events asked of the socket: a hang-up is always told, answers are for ask().
    std::array<pollfd, 2> entries{
        {{signals_[ring].completion.number(), POLLIN, 0}, {socket_.number(), 0, 0}}};
    const timespec limit = wire::to_timespec(timeout);
    const int ready = ::ppoll(entries.data(), entries.size(), &limit, nullptr);
    if (ready < 0 && errno != EINTR)
        return wire::system_failure(errno, "waiting for the host");
    if (ready > 0 && (entries[0].revents & POLLIN) != 0) {
        uint64_t count = 0;
        if (::read(entries[0].fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
            return wire::system_failure(errno, "taking the host's signal");
    } else if (ready > 0 && (entries[1].revents & (POLLHUP | POLLERR)) != 0) {
        return wire::fail(Fault::kLost, "the host closed the connection");
    }
    return {};
}

bool SocketTransport::connected() const {
    pollfd entry{socket_.number(), 0, 0};
    return ::poll(&entry, 1, 0) <= 0 || (entry.revents & (POLLHUP | POLLERR)) == 0;
}

}  // namespace virtgpu::frontend
