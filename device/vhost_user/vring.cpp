#include "device/vhost_user/vring.h"

#include <chrono>
#include <utility>

namespace virtgpu::vhost_user {

using device::EventFile;
using virtio::Chain;
using wire::Fault;

namespace {

// Then others get a turn, so that a guest cannot keep us from its VMM and worker. Not a number of
// requests: one may be an indirect table of 65,536 descriptors and megabytes of pages.
constexpr std::chrono::milliseconds kTurn{5};

constexpr bool has(uint64_t features, unsigned bit) {
    return (features >> bit & 1) != 0;
}

Result<std::optional<EventFile>> adopt(FileDescriptor file) {
    if (!file)
        return std::optional<EventFile>();
    return std::optional(TRY(EventFile::adopt(std::move(file))));
}

}  // namespace

Vring::Vring(uint32_t number, virtio::GuestMemory& memory, device::EventLoop& loop, wire::Log& log,
             Handler handler)
    : number_(number), memory_(memory), loop_(loop), log_(log), handler_(std::move(handler)) {}

Result<void> Vring::set_size(uint32_t size) {
    if (size == 0 || size > kLargest)
        return fail(Fault::kPeer, "a vring of {} descriptors", size);
    size_ = static_cast<uint16_t>(size);
    return {};
}

Result<void> Vring::set_kick(FileDescriptor file) {
    stop();
    kick_ = TRY(adopt(std::move(file)));
    return start_if_complete();
}

Result<void> Vring::set_call(FileDescriptor file) {
    call_ = TRY(adopt(std::move(file)));
    return {};
}

Result<void> Vring::set_error(FileDescriptor file) {
    error_ = TRY(adopt(std::move(file)));
    return {};
}

Result<void> Vring::set_enabled(bool enabled) {
    enabled_ = enabled;
    if (enabled)
        return start_if_complete();
    if (queue_)
        next_ = queue_->next();
    queue_.reset();
    kick_watch_.reset();
    return {};
}

bool Vring::can_run() const {
    const bool enabled = enabled_ || !has(features_, kFeatureProtocolFeatures);
    return enabled && kick_ && addresses_ && size_ != 0;
}

Result<void> Vring::start_if_complete() {
    if (running() || !can_run())
        return {};
    virtio::QueueLayout layout;
    layout.size = size_;
    layout.descriptors = TRY(memory_.from_vmm(addresses_->descriptors));
    layout.available = TRY(memory_.from_vmm(addresses_->available));
    layout.used = TRY(memory_.from_vmm(addresses_->used));
    layout.event_index = has(features_, kFeatureEventIndex);
    layout.indirect = has(features_, kFeatureIndirect);
    queue_ = TRY(virtio::Virtqueue::create(layout, next_, memory_));
    kick_watch_ =
        TRY(loop_.watch(kick_->number(), device::Interest::kReadable, [this] { kicked(); }));
    for (const Answer& late : std::exchange(unanswered_, {}))
        answer(late.chain, late.bytes);
    kick_->signal();  // requests may be waiting already
    return {};
}

void Vring::stop() {
    if (queue_)
        next_ = queue_->next();
    queue_.reset();
    kick_watch_.reset();
    kick_.reset();
}

void Vring::kicked() {
    kick_->take();
    if (const auto served = serve(); !served)
        broken(served.error());
}

Result<void> Vring::serve() {
    const auto end = std::chrono::steady_clock::now() + kTurn;
    while (std::chrono::steady_clock::now() < end) {
        if (!queue_)  // what was taken before broke it
            return {};
        const auto chain = TRY(queue_->take());
        if (!chain)
            return {};
        TRY(claim(*chain));
        handler_(*chain);
    }
    if (kick_)
        kick_->signal();
    return {};
}

// A driver waits for the used ring before it uses a descriptor again. One that does not could have
// any number of requests carried out at once; so they are no more than the queue's descriptors.
Result<void> Vring::claim(const Chain& chain) {
    if (taken_.test(chain.head))
        return fail(Fault::kPeer, "request {} came again before it was answered", chain.head);
    taken_.set(chain.head);
    return {};
}

void Vring::answer(const Chain& chain, std::span<const std::byte> bytes) {
    if (!queue_) {
        unanswered_.push_back({chain, {bytes.begin(), bytes.end()}});
        return;
    }
    if (const auto written = write_answer(chain, bytes); !written)
        broken(written.error());
}

Result<void> Vring::write_answer(const Chain& chain, std::span<const std::byte> bytes) {
    taken_.reset(chain.head);
    const auto written = TRY(virtio::write_chain(memory_, chain, bytes));
    const auto notify = TRY(queue_->give_back(chain.head, written));
    if (notify == virtio::Notify::kYes && call_)
        call_->signal();
    return {};
}

// The driver broke the queue. It is served again after the next reset.
void Vring::broken(const wire::Error& error) {
    log_.error("queue {} is broken until the guest resets the device: {}", number_,
               error.message());
    if (error_)
        error_->signal();
    stop();
}

}  // namespace virtgpu::vhost_user
