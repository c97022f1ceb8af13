#include "frontend/ring_channel.h"

#include "frontend/quietly.h"

namespace virtgpu::frontend {

using protocol::OpenStatus;
using protocol::Status;
using wire::Error;
using wire::Fault;
using wire::Result;
using wire::RingMemory;

namespace {

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
      ring_(std::move(memory)),
      wait_(services, ring, ring_) {}

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
        TRY(or_lose(wait_.wake_host()));
    return sequence;
}

Result<std::vector<std::byte>> RingChannel::call(protocol::Command command,
                                                 std::span<const std::byte> request) {
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    const uint64_t sequence = TRY(send(command, request));
    TRY(or_lose(wait_.until_answered(sequence)));
    return take_reply(sequence);
}

Result<void> RingChannel::finish(uint64_t sequence) {
    TRY(services_.health.check());
    const std::lock_guard lock(mutex_);
    TRY(or_lose(wait_.until_done(sequence)));
    return check_queued();
}

Result<bool> RingChannel::finish_unless(uint64_t sequence, const std::function<bool()>& unwanted) {
    TRY(services_.health.check());
    std::unique_lock lock(mutex_);
    if (!TRY(or_lose(wait_.until_done_unless(sequence, lock, unwanted))))
        return false;
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
    return or_lose(wait_.wake_host());
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
        TRY(or_lose(wait_.until_done(ring_.sent())));
        TRY(check_queued());
        sequence = TRY(ring_.send(command, after, request));
    }
    if (!sequence)
        return wire::fail(Fault::kLost, "the host answers requests that it did not take");
    after_.store(after, std::memory_order_release);
    return *sequence;
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

template <typename T>
Result<T> RingChannel::or_lose(Result<T> waited) {
    if (!waited)
        return lose(waited.error());
    return waited;
}

tl::unexpected<Error> RingChannel::lose(const Error& error) {
    return services_.health.lose(
        wire::format("{}: {}", services_.transport.name(), error.message()));
}

}  // namespace virtgpu::frontend
