#include "frontend/ring_channel.h"

#include "frontend/quietly.h"
#include "wire/relax.h"

namespace virtgpu::frontend {

using protocol::ContextState;
using protocol::OpenStatus;
using protocol::Status;
using wire::Error;
using wire::Fault;
using wire::Result;
using wire::RingMemory;

namespace {

constexpr std::chrono::milliseconds kSlice(500);
// A wait may end early again and again, because others in the guest share our time line.
constexpr std::chrono::milliseconds kShortestCheckInterval(50);
// How late an application may learn that what it no longer wants goes on.
constexpr std::chrono::milliseconds kAbortSlice(2);

constexpr size_t kStagingOffset =
    protocol::RingHeader::kSize + RingChannel::kRequestBytes + RingChannel::kReplyBytes;

// Notes about buffers are queued behind every change of one, and change nothing themselves.
bool touches_data(protocol::Command command) {
    return command != protocol::Command::kSetBufferUsage &&
           command != protocol::Command::kChangedBuffer;
}

std::string refusal(OpenStatus status) {
    return status == OpenStatus::kNoWorker
               ? "its compute worker is not running; the log of ggml-virtgpu-host says why"
               : "it refused the ring";
}

std::string reason_of(const wire::Reply& reply) {
    wire::Reader reader(reply.payload);
    const auto text = reader.string(protocol::kMaxTextLength);
    return text ? *text : "no reason given";
}

}  // namespace

Result<std::unique_ptr<RingChannel>> RingChannel::open(RingServices services, uint32_t ring,
                                                       Sizes sizes, const RingChannel* before) {
    TRY(services.health.check());
    auto region =
        TRY(services.transport.create_region(kStagingOffset + sizes.staging + sizes.landing));
    auto memory = TRY(RingMemory::create(region->memory(), kRequestBytes, kReplyBytes));
    const auto status =
        services.apir.open_ring({ring, region->number(), kRequestBytes, kReplyBytes});
    if (!status && status.error().fault() == Fault::kLost)
        return services.health.lose(
            wire::format("{}: {}", services.transport.name(), status.error().message()));
    TRY(Result<OpenStatus>(status));
    const auto refused =
        wire::format("the host does not serve ring {}: {}", ring, refusal(*status));
    // It ran when ring 0 was opened, so this context's is gone.
    if (*status == OpenStatus::kNoWorker && ring != 0)
        return services.health.lose(refused);
    if (*status != OpenStatus::kOk)
        return wire::fail(Fault::kRefused, "{}", refused);
    auto channel = std::make_unique<RingChannel>(services, ring, std::move(region),
                                                 std::move(memory), sizes, before);
    TRY(services.transport.open_signals(ring));
    return channel;
}

RingChannel::RingChannel(RingServices services, uint32_t ring, std::unique_ptr<SharedRegion> region,
                         RingMemory memory, Sizes sizes, const RingChannel* before)
    : services_(services),
      number_(ring),
      before_(before),
      region_(std::move(region)),
      sizes_(sizes),
      staging_(sizes.staging),
      ring_(std::move(memory)) {}

RingChannel::~RingChannel() {
    quietly([this] {
        if (services_.health.check())
            static_cast<void>(services_.apir.close_ring(number_));
    });
    services_.transport.close_signals(number_);
}

Result<RingChannel::Piece> RingChannel::piece(size_t offset, size_t size) const {
    return Piece{{region_->number(), offset, size}, TRY(region_->memory()->bulk(offset, size))};
}

Result<RingChannel::Piece> RingChannel::landing(size_t offset, size_t size) const {
    return piece(kStagingOffset + sizes_.staging + offset, size);
}

Result<RingChannel::Piece> RingChannel::Staging::reserve(size_t size) {
    StagingArea& area = channel_.staging_;
    for (;;) {
        area.release(channel_.ring_.completed());
        if (const auto begin = area.take(size))
            return channel_.piece(kStagingOffset + *begin, size);
        const auto oldest = area.oldest();
        if (!oldest)
            return wire::fail(Fault::kRefused, "{} bytes do not fit a staging area of {}", size,
                              area.size());
        TRY(channel_.finish(*oldest));
    }
}

Result<std::unique_ptr<SharedRegion>> RingChannel::create_region(size_t size) {
    TRY(services_.health.check());
    return services_.transport.create_region(size);
}

Result<uint64_t> RingChannel::queue(protocol::Command command, std::span<const std::byte> request) {
    // Before the lock: in a forked child another thread may hold it for ever.
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    const uint64_t sequence = TRY(send(command, request));
    // Ring 0's requests are looked at when somebody waits, or by the stream that comes after them.
    if (before_ != nullptr)
        TRY(ring_doorbell());
    return sequence;
}

Result<std::vector<std::byte>> RingChannel::call(protocol::Command command,
                                                 std::span<const std::byte> request) {
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    const uint64_t sequence = TRY(send(command, request));
    TRY(await_reply(sequence));
    return take_reply(sequence);
}

Result<void> RingChannel::finish(uint64_t sequence) {
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    TRY(await(sequence));
    return check_queued();
}

Result<bool> RingChannel::finish_unless(uint64_t sequence, const std::function<bool()>& unwanted) {
    TRY(services_.health.check());
    std::unique_lock lock(mutex_);
    ring_.want(sequence);
    TRY(ring_doorbell());
    auto next_check = Clock::now() + kSlice;
    while (!settled(sequence)) {
        // The application may take locks of its own, under which others wait for this one.
        lock.unlock();
        if (unwanted())
            return false;
        lock.lock();
        if (const auto slept = doze(sequence, kAbortSlice); !slept)
            return lose(slept.error());
        if (Clock::now() < next_check)
            continue;
        if (const auto checked = check_host(sequence); !checked)
            return lose(checked.error());
        next_check = Clock::now() + kSlice;
    }
    TRY(check_queued());
    return true;
}

void RingChannel::ask_to_abort(uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    ring_.ask_to_abort(sequence);
}

Result<void> RingChannel::wake_host() {
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    return ring_doorbell();
}

Result<uint64_t> RingChannel::send(protocol::Command command, std::span<const std::byte> request) {
    TRY(services_.health.check());
    const auto sequence = send_when_there_is_room(command, request);
    if (!sequence)
        return sequence.error().fault() == Fault::kRefused ? tl::unexpected(sequence.error())
                                                           : lose(sequence.error());
    sent_.store(*sequence, std::memory_order_release);
    if (touches_data(command))
        touching_data_.store(*sequence, std::memory_order_release);
    services_.traffic.requests.fetch_add(1, std::memory_order_relaxed);
    services_.traffic.bytes.fetch_add(request.size() + protocol::RequestHeader::kSize,
                                      std::memory_order_relaxed);
    return *sequence;
}

Result<uint64_t> RingChannel::send_when_there_is_room(protocol::Command command,
                                                      std::span<const std::byte> request) {
    const uint64_t after = before_ == nullptr ? 0 : before_->sent();
    auto sequence = TRY(ring_.send(command, after, request));
    if (!sequence) {
        TRY(await(ring_.sent()));
        TRY(check_queued());
        sequence = TRY(ring_.send(command, after, request));
    }
    if (!sequence)
        return wire::fail(Fault::kLost, "the host answers requests that it did not take");
    after_.store(after, std::memory_order_release);
    return *sequence;
}

Result<void> RingChannel::ring_doorbell() {
    if (!ring_.ask_for_doorbell())
        return {};
    services_.traffic.doorbells.fetch_add(1, std::memory_order_relaxed);
    if (const auto rung = services_.transport.doorbell(number_); !rung)
        return lose(rung.error());
    return {};
}

Result<void> RingChannel::await(uint64_t sequence) {
    if (settled(sequence))
        return {};
    ring_.want(sequence);
    TRY(ring_doorbell());
    services_.traffic.waits.fetch_add(1, std::memory_order_relaxed);
    const wire::TraceSpan span(services_.trace, "wait", 0, number_, sequence);
    const auto start = Clock::now();
    if (const auto waited = wait(sequence); !waited)
        return lose(waited.error());
    last_wait_ = Clock::now() - start;
    return {};
}

// The host answers while its devices are still busy with what was queued before.
Result<void> RingChannel::await_reply(uint64_t sequence) {
    TRY(ring_doorbell());
    services_.traffic.waits.fetch_add(1, std::memory_order_relaxed);
    const wire::TraceSpan span(services_.trace, "ask", 0, number_, sequence);
    if (poll(sequence, longest_polling()))
        return {};
    if (const auto slept = sleep(sequence); !slept)
        return lose(slept.error());
    return {};
}

// Polls at the end of the time that the last wait took, because polling takes from the processor's
// other thread, where the host may compute, and because waking up late costs more than polling.
Result<void> RingChannel::wait(uint64_t sequence) {
    const std::chrono::microseconds longest = longest_polling();
    if (longest.count() != 0) {
        if (last_wait_ > longest)
            TRY(doze(sequence, last_wait_ -
                                   std::min<Clock::duration>(last_wait_ / 10, longest / 4) -
                                   longest / 2));
        if (poll(sequence, longest))
            return {};
    }
    return sleep(sequence);
}

std::chrono::microseconds RingChannel::longest_polling() const {
    return std::chrono::microseconds(
        services_.polling_microseconds.load(std::memory_order_relaxed));
}

Result<void> RingChannel::sleep(uint64_t sequence) {
    while (!settled(sequence)) {
        TRY(doze(sequence, kSlice));
        if (!settled(sequence) && Clock::now() - last_check_ >= kShortestCheckInterval)
            TRY(check_host(sequence));
    }
    return {};
}

bool RingChannel::poll(uint64_t sequence, std::chrono::microseconds longest) const {
    const auto end = Clock::now() + longest;
    wire::Relaxation relaxation;
    while (!settled(sequence)) {
        if (Clock::now() >= end)
            return false;
        relaxation.relax();
    }
    return true;
}

// Sleeps until the host signals that the request is done, or the time has passed.
Result<void> RingChannel::doze(uint64_t sequence, Clock::duration time) {
    if (settled(sequence) || !ring_.prepare_wait(sequence))
        return {};
    services_.traffic.sleeps.fetch_add(1, std::memory_order_relaxed);
    auto slept = services_.transport.wait(
        number_, std::min<std::chrono::microseconds>(
                     std::chrono::duration_cast<std::chrono::microseconds>(time), kSlice));
    ring_.end_wait();
    return slept;
}

// The wait ended without an outcome. Returns when there is reason to wait on.
Result<void> RingChannel::check_host(uint64_t sequence) {
    last_check_ = Clock::now();
    for (;;) {
        TRY(services_.health.check());
        const auto state = TRY(services_.apir.ping([&] { return settled(sequence); }));
        if (settled(sequence) || state == ContextState::kAlive)
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
    if (!*reply)
        return lose(Error(Fault::kLost, "the host did a request without an answer"));
    if ((*reply)->sequence != sequence)
        return lose(
            Error(Fault::kLost, "the host could not do what was queued: " + reason_of(**reply)));
    if ((*reply)->status == Status::kOk)
        return std::move((*reply)->payload);
    if ((*reply)->status == Status::kRefused)
        return wire::fail(Fault::kRefused, "{}", reason_of(**reply));
    return lose(Error(Fault::kLost, "the host ended the session: " + reason_of(**reply)));
}

// Queued requests have replies only when they fail.
Result<void> RingChannel::check_queued() {
    if (!ring_.reply_ready())
        return {};
    const auto reply = ring_.receive();
    if (!reply)
        return lose(reply.error());
    return lose(Error(Fault::kLost, "the host could not do what was queued: " +
                                        (*reply ? reason_of(**reply) : "it does not say why")));
}

tl::unexpected<Error> RingChannel::lose(const Error& error) {
    return services_.health.lose(
        wire::format("{}: {}", services_.transport.name(), error.message()));
}

}  // namespace virtgpu::frontend
