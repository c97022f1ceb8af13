#include "frontend/ring_channel.h"

#include "frontend/quietly.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace virtgpu::frontend {

using protocol::ContextState;
using protocol::OpenStatus;
using protocol::Status;
using wire::Error;
using wire::Fault;
using wire::Result;
using wire::RingMemory;

namespace {

using Clock = std::chrono::steady_clock;

// Longer spinning would take a core from a host worker that computes on all of them.
constexpr std::chrono::microseconds kSpin(20);
constexpr std::chrono::milliseconds kSlice(500);

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

std::string refusal(OpenStatus status) {
    return status == OpenStatus::kNoWorker
               ? "its compute worker is not running; the log of ggml-virtgpu-host says why"
               : "it refused the ring";
}

}  // namespace

Result<std::unique_ptr<RingChannel>> RingChannel::open(RingServices services, uint32_t ring,
                                                       size_t staging_bytes) {
    TRY(services.health.check());
    auto region = TRY(services.transport.create_region(
        RingMemory::bytes_needed(kRequestBytes, kReplyBytes) + staging_bytes));
    auto memory = TRY(RingMemory::create(region->memory(), kRequestBytes, kReplyBytes));
    const auto status =
        services.apir.open_ring({ring, region->number(), kRequestBytes, kReplyBytes});
    if (!status && status.error().fault() == Fault::kLost)
        return services.health.lose(
            wire::format("{}: {}", services.transport.name(), status.error().message()));
    TRY(Result<OpenStatus>(status));
    if (*status != OpenStatus::kOk)
        return wire::fail(Fault::kRefused, "the host does not serve ring {}: {}", ring,
                          refusal(*status));
    auto channel = std::make_unique<RingChannel>(services, ring, std::move(region),
                                                 std::move(memory), staging_bytes);
    TRY(services.transport.open_signals(ring));
    return channel;
}

RingChannel::RingChannel(RingServices services, uint32_t ring, std::unique_ptr<SharedRegion> region,
                         RingMemory memory, size_t staging_bytes)
    : services_(services),
      number_(ring),
      region_(std::move(region)),
      staging_bytes_(staging_bytes),
      ring_(std::move(memory)) {}

RingChannel::~RingChannel() {
    quietly([this] {
        if (services_.health.check())
            static_cast<void>(services_.apir.close_ring(number_));
    });
    services_.transport.close_signals(number_);
}

protocol::RegionSpan RingChannel::Staging::span(size_t size) const {
    return {channel_.region_->number(), RingMemory::bytes_needed(kRequestBytes, kReplyBytes), size};
}

wire::BulkData RingChannel::Staging::bytes(size_t size) const {
    // In range: the region was made with the staging area in it.
    return *channel_.region_->memory()->bulk(RingMemory::bytes_needed(kRequestBytes, kReplyBytes),
                                             size);
}

Result<std::unique_ptr<SharedRegion>> RingChannel::create_region(size_t size) {
    TRY(services_.health.check());
    return services_.transport.create_region(size);
}

Result<std::vector<std::byte>> RingChannel::call(protocol::Command command,
                                                 std::span<const std::byte> request) {
    // Before the lock: in a forked child another thread may hold it for ever.
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    TRY(services_.health.check());
    auto sequence = send(command, request);
    if (!sequence)
        return sequence.error().fault() == Fault::kRefused ? tl::unexpected(sequence.error())
                                                           : lose(sequence.error());
    if (auto waited = await_reply(*sequence); !waited)
        return lose(waited.error());
    return take_reply(*sequence);
}

Result<uint64_t> RingChannel::send(protocol::Command command, std::span<const std::byte> request) {
    const std::optional<uint64_t> sequence = TRY(ring_.send(command, 0, request));
    // One request at a time: the host has taken all earlier ones when it answered them.
    if (!sequence)
        return wire::fail(Fault::kLost, "the host answers requests that it did not take");
    if (ring_.doorbell_needed())
        TRY(services_.transport.doorbell(number_));
    return *sequence;
}

Result<void> RingChannel::await_reply(uint64_t sequence) {
    const auto spin_end = Clock::now() + kSpin;
    while (!ring_.reply_ready() && Clock::now() < spin_end)
        relax();
    while (!ring_.reply_ready()) {
        if (!ring_.prepare_wait(sequence))
            break;
        const auto waited = services_.transport.wait(number_, kSlice);
        ring_.end_wait();
        TRY(Result<void>(waited));
        if (!ring_.reply_ready())
            TRY(check_host());
    }
    return {};
}

// The wait ended without a reply. Returns when there is reason to wait on.
Result<void> RingChannel::check_host() {
    for (;;) {
        TRY(services_.health.check());
        const auto state = TRY(services_.apir.ping([this] { return ring_.reply_ready(); }));
        if (ring_.reply_ready() || state == ContextState::kAlive)
            return {};
        if (state == ContextState::kLost)
            return wire::fail(Fault::kLost,
                              "the host's compute worker died; start this program again, and see "
                              "the log of ggml-virtgpu-host");
        if (state == ContextState::kClosed)
            return wire::fail(Fault::kLost,
                              "the host closed the connection because of a wrong request; the log "
                              "of ggml-virtgpu-host says which");
    }
}

Result<std::vector<std::byte>> RingChannel::take_reply(uint64_t sequence) {
    auto reply = ring_.receive();
    if (!reply)
        return lose(reply.error());
    if (!*reply || (*reply)->sequence != sequence)
        return lose(Error(Fault::kLost, "the host's reply belongs to no request"));
    if ((*reply)->status == Status::kOk)
        return std::move((*reply)->payload);
    wire::Reader reader((*reply)->payload);
    const auto text = reader.string(protocol::kMaxTextLength);
    const std::string reason = text ? *text : "no reason given";
    if ((*reply)->status == Status::kRefused)
        return wire::fail(Fault::kRefused, "{}", reason);
    return lose(Error(Fault::kLost, "the host ended the session: " + reason));
}

tl::unexpected<Error> RingChannel::lose(const Error& error) {
    return services_.health.lose(
        wire::format("{}: {}", services_.transport.name(), error.message()));
}

}  // namespace virtgpu::frontend
