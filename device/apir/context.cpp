#include "device/apir/context.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "device/apir/reply_page.h"
#include "device/limits.h"
#include "wire/forward_failure.h"
#include "wire/ring_memory.h"

namespace virtgpu::apir {

using protocol::ContextState;
using protocol::OpenStatus;
using protocol::WorkerMessage;

namespace {

// Level 1 versions that exist; see HANDSHAKE.
constexpr uint32_t kMajor = 0;
constexpr uint32_t kNewestMinor = 2;
// LOADLIBRARY's return codes.
constexpr uint32_t kLoaded = 0;
constexpr uint32_t kCannotOpen = 4;
// FORWARD's, before LOADLIBRARY.
constexpr uint32_t kNothingLoaded = 1;
// What upstream's hosts return for a FORWARD id that they do not know.
constexpr uint32_t kUnknownForward = protocol::kApirForwardSuccess + 6;

struct Header {
    int32_t type = 0;
    int32_t flags = 0;
    uint32_t reply_region = 0;
    static constexpr size_t kSize = 12;
};

Result<Header> read_header(std::span<const std::byte> command, int32_t first_type) {
    if (command.size() > protocol::kMaxCommandBytes)
        return fail(Fault::kPeer, "a level 1 command of {} bytes", command.size());
    wire::Reader reader(command);
    Header header;
    const auto type = TRY(reader.number<int32_t>());
    if (type < first_type)
        return fail(Fault::kPeer, "a command of type {}, where they start with {}", type,
                    first_type);
    header.type = type - first_type;
    header.flags = TRY(reader.number<int32_t>());
    header.reply_region = TRY(reader.number<uint32_t>());
    return header;
}

bool waits_for_ring(const wire::ApirCommand& command) {
    const auto* doorbell = std::get_if<protocol::ApirDoorbellRequest>(&command);
    return doorbell != nullptr && doorbell->wait != 0;
}

}  // namespace

Context::Context(uint32_t id, uint32_t worker_number, std::string name, int32_t first_type,
                 ContextServices& services)
    : id_(id),
      worker_number_(worker_number),
      name_(std::move(name)),
      first_type_(first_type),
      services_(services) {}

Context::~Context() {
    if (alive())
        tell_worker_to_close();
    if (phase_ == Phase::kOpen)
        services_.log.info("context {} ({}) closed", id_, name_);
    end(state_);
    services_.rings_open -= rings_.size();
}

void Context::tell_worker_to_close() {
    if (phase_ != Phase::kNew)
        services_.worker.send(WorkerMessage::kCloseContext,
                              protocol::WorkerCloseContextRequest{worker_number_});
}

void Context::attach(uint32_t region, device::AnyMemory memory) {
    const auto [place, added] = regions_.emplace(region, std::move(memory));
    if (added && phase_ != Phase::kNew && alive())
        announce(region, place->second);
}

void Context::detach(uint32_t region) {
    if (regions_.erase(region) > 0 && phase_ != Phase::kNew && alive())
        services_.worker.send(WorkerMessage::kRemoveRegion,
                              protocol::WorkerRemoveRegionRequest{worker_number_, region});
}

void Context::announce(uint32_t region, const device::AnyMemory& memory) {
    services_.worker.lend(worker_number_, region, memory);
}

void Context::wake_waiters() {
    for (auto& [number, slot] : rings_)
        slot.ring->wake_waiters();
}

void Context::submit(std::span<const std::byte> command, Done done, FenceLine line) {
    const auto header = read_header(command, first_type_);
    if (!header) {
        on_failed(header.error().message());
        if (done)
            done();
        return;
    }
    const auto flags = static_cast<uint32_t>(header->flags);
    if (header->type == static_cast<int32_t>(protocol::ApirType::kForward) &&
        protocol::is_forward_command(flags))
        return forward(flags, command.subspan(Header::kSize),
                       {header->reply_region, std::move(done)});
    const bool level2 = header->type == static_cast<int32_t>(protocol::ApirType::kForward);
    if (level2 && !services_.limits.level2)
        return finish({header->reply_region, std::move(done)}, kUnknownForward);
    const auto decoded =
        wire::decode_apir_command(header->type, header->flags, command.subspan(Header::kSize));
    if (line == FenceLine::kShared && done && !(decoded && waits_for_ring(*decoded))) {
        submit(command, {});
        return done();
    }
    Call call{header->reply_region, std::move(done)};
    if (decoded)
        return std::visit([&](const auto& request) { execute(request, std::move(call)); },
                          *decoded);
    services_.log.debug("context {}: {}", id_, decoded.error().message());
    if (decoded.error().fault() == Fault::kPeer)
        on_failed(decoded.error().message());
    finish(call, kUnknownForward);
}

void Context::execute(const protocol::ApirHandshakeRequest& request, Call call) {
    wire::Writer writer;
    const protocol::ApirHandshakeReply reply{kMajor, std::min(request.minor, kNewestMinor)};
    if (wire::encode(writer, reply))
        finish(call, protocol::kApirHandshakeCode, writer.bytes());
}

void Context::execute(const wire::ApirLoadlibraryRequest& /*request*/, Call call) {
    if (!alive())
        return finish(call, kCannotOpen);
    if (phase_ == Phase::kOpen)
        return finish(call, kLoaded);
    if (loads_.size() == device::kMaxWaitingLoads)
        return finish(call, kCannotOpen);
    loads_.push_back(std::move(call));
    if (phase_ == Phase::kOpening)
        return;
    if (const auto started = services_.worker.ensure_started(); !started) {
        services_.log.error("no worker for context {}: {}", id_, started.error().message());
        return on_opened(OpenStatus::kNoWorker);
    }
    phase_ = Phase::kOpening;
    services_.worker.send(WorkerMessage::kOpenContext,
                          protocol::WorkerOpenContextRequest{worker_number_});
    for (const auto& [region, memory] : regions_)
        announce(region, memory);
}

void Context::on_opened(OpenStatus status) {
    if (!alive())
        return;
    phase_ = status == OpenStatus::kOk ? Phase::kOpen : Phase::kNew;
    if (status == OpenStatus::kOk)
        services_.log.info("context {} ({}) opened", id_, name_);
    else
        services_.log.error("context {} ({}) could not be opened; see the worker's messages", id_,
                            name_);
    for (const Call& call : std::exchange(loads_, {}))
        finish(call, status == OpenStatus::kOk ? kLoaded : kCannotOpen);
}

bool Context::may_open(const protocol::ApirOpenRingRequest& request) const {
    const auto region = regions_.find(request.region);
    return request.ring < protocol::kMaxRings && !rings_.contains(request.ring) &&
           region != regions_.end() && services_.rings_open < device::kMaxRingsOfTenant &&
           request.request_bytes <= services_.limits.queue_bytes &&
           wire::RingMemory::bytes_needed(request.request_bytes, request.reply_bytes) <=
               region->second->size();
}

void Context::execute(const protocol::ApirOpenRingRequest& request, Call call) {
    if (!alive() || phase_ != Phase::kOpen)
        return finish_open_ring(call, OpenStatus::kNoWorker);
    if (!may_open(request))
        return finish_open_ring(call, OpenStatus::kRefused);
    auto ring = Ring::create(services_.waiter, services_.loop);
    if (!ring) {
        services_.log.error("context {}: {}", id_, ring.error().message());
        return finish_open_ring(call, OpenStatus::kRefused);
    }
    const std::array files{(*ring)->doorbell().number(), (*ring)->completion().number()};
    rings_.emplace(request.ring, RingSlot{std::move(*ring), RingPhase::kOpening, std::move(call)});
    ++services_.rings_open;
    services_.worker.send(
        WorkerMessage::kOpenRing,
        protocol::WorkerOpenRingRequest{worker_number_, request.ring, request.region,
                                        request.request_bytes, request.reply_bytes},
        files);
}

void Context::on_ring_opened(uint32_t number, OpenStatus status) {
    const auto slot = rings_.find(number);
    if (slot == rings_.end() || slot->second.phase == RingPhase::kOpen)
        return;
    const Call call = std::exchange(slot->second.opening, {});
    const bool closing = slot->second.phase == RingPhase::kClosing;
    slot->second.phase = RingPhase::kOpen;
    if (status != OpenStatus::kOk) {
        rings_.erase(slot);
        --services_.rings_open;
    } else if (closing) {
        close_ring(number);
    }
    finish_open_ring(call, status);
}

void Context::execute(const protocol::ApirCloseRingRequest& request, Call call) {
    const auto slot = rings_.find(request.ring);
    if (slot != rings_.end() && slot->second.phase == RingPhase::kOpen)
        close_ring(request.ring);
    else if (slot != rings_.end())
        slot->second.phase = RingPhase::kClosing;
    if (call.done)
        call.done();
}

void Context::close_ring(uint32_t number) {
    if (alive())
        services_.worker.send(WorkerMessage::kCloseRing,
                              protocol::WorkerCloseRingRequest{worker_number_, number});
    rings_.erase(number);
    --services_.rings_open;
}

void Context::execute(const protocol::ApirDoorbellRequest& request, Call call) {
    const auto slot = rings_.find(request.ring);
    if (slot != rings_.end()) {
        slot->second.ring->ring_doorbell();
        if (call.done && request.wait != 0 && services_.waiter == Waiter::kFence)
            return slot->second.ring->wait(std::move(call.done));
    }
    if (call.done)
        call.done();
}

void Context::execute(const wire::ApirPingRequest& /*request*/, Call call) {
    finish_forward(call, protocol::ApirPingReply{state_});
}

void Context::forward(uint32_t command, std::span<const std::byte> arguments, Call call) {
    if (alive() && phase_ != Phase::kOpen)
        return finish(call, kNothingLoaded);
    if (!alive() || forwards_.size() == device::kMaxWaitingForwards)
        return fail_forward({command, std::move(call)});
    protocol::WorkerForwardRequest request{worker_number_,    next_forward_++,  command,
                                           call.reply_region, services_.room(), {}};
    request.arguments.resize(arguments.size() / sizeof(uint32_t));
    if (!request.arguments.empty())
        std::memcpy(request.arguments.data(), arguments.data(),
                    request.arguments.size() * sizeof(uint32_t));
    forwards_.emplace(request.serial, Forward{command, std::move(call)});
    services_.worker.send(WorkerMessage::kForward, request);
}

void Context::fail_forward(const Forward& forward) {
    wire::Writer writer;
    // With "no" for a node whose data is here ggml's scheduler aborts; with "yes" its graph fails.
    const bool can_say_so =
        forward.command == static_cast<uint32_t>(protocol::ForwardCommand::kDeviceSupportsOp)
            ? encode(writer, protocol::ForwardDeviceSupportsOpReply{true}).has_value()
            : wire::encode_failure(forward.command, writer).has_value();
    finish(forward.call, can_say_so ? protocol::kApirForwardSuccess : kUnknownForward,
           writer.bytes());
}

void Context::on_forwarded(uint32_t serial) {
    const auto answered = forwards_.extract(serial);
    if (!answered.empty() && answered.mapped().call.done)
        answered.mapped().call.done();
}

Ring* Context::open_ring(uint32_t number) {
    const auto slot = rings_.find(number);
    if (slot == rings_.end() || slot->second.phase != RingPhase::kOpen)
        return nullptr;
    return slot->second.ring.get();
}

void Context::finish(const Call& call, uint32_t code, std::span<const std::byte> payload) {
    // Copied, because the reply's reader may detach the region.
    const auto region = regions_.find(call.reply_region);
    if (region == regions_.end()) {
        services_.log.debug("context {} asks for a reply in region {}, which it does not have", id_,
                            call.reply_region);
    } else if (const auto written = write_reply(*region->second, code, payload); !written) {
        services_.log.debug("context {} gets no reply: {}", id_, written.error().message());
    }
    if (call.done)
        call.done();
}

template <typename Reply>
void Context::finish_forward(const Call& call, const Reply& reply) {
    wire::Writer writer;
    if (wire::encode(writer, reply))
        finish(call, protocol::kApirForwardSuccess, writer.bytes());
}

void Context::finish_open_ring(const Call& call, OpenStatus status) {
    finish_forward(call, protocol::ApirOpenRingReply{status});
}

void Context::on_lost() {
    if (phase_ != Phase::kNew && alive())
        end(ContextState::kLost);
}

void Context::on_failed(const std::string& reason) {
    if (!alive())
        return;
    services_.log.warning("context {} ({}) broke the protocol and is closed: {}", id_, name_,
                          reason);
    // At once: until then the worker computes and keeps what the context has.
    tell_worker_to_close();
    end(ContextState::kClosed);
}

void Context::end(ContextState state) {
    state_ = state;
    for (const Call& call : std::exchange(loads_, {}))
        finish(call, kCannotOpen);
    for (const auto& [serial, forward] : std::exchange(forwards_, {}))
        fail_forward(forward);
    // Rings stay until they are closed, so that late waiters find them and are woken at once.
    for (auto& [number, slot] : rings_) {
        slot.ring->abandon();
        if (slot.phase != RingPhase::kOpen)
            finish_open_ring(std::exchange(slot.opening, {}), OpenStatus::kNoWorker);
        slot.phase = RingPhase::kOpen;
    }
}

}  // namespace virtgpu::apir
