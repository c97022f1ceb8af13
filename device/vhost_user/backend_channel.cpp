#include "device/vhost_user/backend_channel.h"

#include <array>
#include <utility>

#include "device/gpu/virtio_gpu.h"
#include "device/vhost_user/protocol.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace virtgpu::vhost_user {

using wire::Fault;

Result<std::unique_ptr<BackendChannel>> BackendChannel::create(uint64_t window_size,
                                                               device::EventLoop& loop,
                                                               wire::Log& log) {
    auto timer = TRY(device::Timer::create());
    std::unique_ptr<BackendChannel> channel(
        new BackendChannel(window_size, loop, log, std::move(timer)));
    channel->timer_watch_ = TRY(loop.watch(channel->timer_.number(), device::Interest::kReadable,
                                           [self = channel.get()] { self->time_is_up(); }));
    return channel;
}

Result<void> BackendChannel::connect(FileDescriptor socket) {
    watch_.reset();
    socket_ = std::make_unique<MessageSocket>(std::move(socket));
    watch_ =
        TRY(loop_.watch(socket_->number(), device::Interest::kReadable, [this] { readable(); }));
    return {};
}

void BackendChannel::map(std::shared_ptr<const device::SealedFile> file, Finished finished) {
    file_ = std::move(file);
    finished_ = std::move(finished);
    if (state_ != State::kForgotten)  // else when the answer to the one before has come
        start();
}

void BackendChannel::start() {
    const auto sent = send();
    state_ = sent ? State::kSent : State::kNotSent;
    if (sent)
        return;
    log_.error("the window was not mapped: {}", sent.error().message());
    // Not finished from in here: whoever calls map() relies on being answered later.
    timer_.set(std::chrono::milliseconds(1));
}

void BackendChannel::forget() {
    timer_.set(std::chrono::milliseconds(0));
    const bool unanswered = state_ == State::kSent || state_ == State::kReported;
    state_ = unanswered ? State::kForgotten : State::kUnmapped;
    seen_in_memory_ = false;
    file_.reset();
    finished_ = {};
}

Result<void> BackendChannel::send() {
    if (!socket_)
        return fail(Fault::kRefused, "the VMM has no backend channel");
    constexpr uint64_t kReadWrite = 1;
    wire::Writer writer;
    writer.number(uint64_t{gpu::kHostVisibleRegion});  // one byte and seven of padding
    writer.number(uint64_t{0});                        // offset in the file
    writer.number(uint64_t{0});                        // offset in the window
    writer.number(file_->size());
    writer.number(kReadWrite);
    const std::array<int, 1> file{file_->number()};
    return socket_->send(static_cast<uint32_t>(BackendRequestType::kMap), Message::kNeedReply,
                         writer.bytes(), file);
}

void BackendChannel::readable() {
    if (const auto received = receive(); !received)
        disconnect(received.error().message());
}

Result<void> BackendChannel::receive() {
    while (socket_) {
        const auto message = TRY(socket_->receive());
        if (!message)
            break;
        wire::Reader reader(message->payload);
        const bool agreed = TRY(reader.number<uint64_t>()) == 0;
        const bool asked =
            state_ == State::kSent || state_ == State::kReported || state_ == State::kForgotten;
        if ((message->flags & Message::kReply) == 0 || !asked)
            return fail(Fault::kPeer, "an answer that was not asked for");
        answered(agreed);
    }
    return {};
}

// A guest may touch a mapping only when the VMM has put it into the guest's address space.
// QEMU 11.1 agrees before it has done so; that it then tells us of the new memory is the sign to
// wait for.
void BackendChannel::answered(bool agreed) {
    if (state_ == State::kForgotten) {
        state_ = State::kUnmapped;
        if (file_)
            start();
    } else if (!agreed) {
        finish(State::kUnmapped, fail(Fault::kRefused, "the VMM refused"));
    } else if (state_ == State::kReported) {
        finish(State::kMapped, {});
    } else {
        state_ = State::kAgreed;
        timer_.set(kReportTimeout);
    }
}

void BackendChannel::time_is_up() {
    if (!timer_.take())
        return;
    if (state_ == State::kNotSent)
        return finish(State::kUnmapped, fail(Fault::kLost, "the VMM could not be asked"));
    if (state_ != State::kAgreed)
        return;
    log_.warning("the VMM did not report the memory that it mapped; going on without");
    finish(State::kMapped, {});
}

void BackendChannel::finish(State state, const Result<void>& result) {
    timer_.set(std::chrono::milliseconds(0));
    state_ = state;
    if (const Finished finished = std::exchange(finished_, {}))
        finished(result);
}

bool BackendChannel::is_ours(const device::FileIdentity& identity) const {
    return file_ && file_->identity() == identity;
}

bool BackendChannel::was_dropped(WindowReported reported) {
    if (reported == WindowReported::kNo)
        return state_ == State::kMapped && seen_in_memory_;
    seen_in_memory_ = true;
    if (state_ == State::kSent)
        state_ = State::kReported;
    else if (state_ == State::kAgreed)
        finish(State::kMapped, {});
    return false;
}

void BackendChannel::disconnect(const std::string& why) {
    log_.debug("the VMM's backend channel is closed: {}", why);
    watch_.reset();
    socket_.reset();
    if (state_ == State::kSent || state_ == State::kReported)
        finish(State::kUnmapped, fail(Fault::kLost, "the VMM closed the backend channel"));
}

}  // namespace virtgpu::vhost_user
