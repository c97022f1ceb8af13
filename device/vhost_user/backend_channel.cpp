#include "device/vhost_user/backend_channel.h"

#include <algorithm>
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

void BackendChannel::map(uint64_t offset, device::SharedMemory memory, Finished finished) {
    enqueue({Kind::kMap, offset, std::move(memory), std::move(finished)});
}

void BackendChannel::unmap(uint64_t offset, device::SharedMemory memory, Finished finished) {
    enqueue({Kind::kUnmap, offset, std::move(memory), std::move(finished)});
}

void BackendChannel::enqueue(Operation operation) {
    operations_.push_back(std::move(operation));
    if (operations_.size() == 1)
        start_next();
}

// One that the VMM is working on stays, so that its answer is not taken for another's.
void BackendChannel::forget_all() {
    timer_.set(std::chrono::milliseconds(0));
    mapped_.clear();
    const bool keep_first = !operations_.empty() && operations_.front().state == State::kSent;
    operations_.erase(operations_.begin() + (keep_first ? 1 : 0), operations_.end());
    if (keep_first)
        operations_.front().finished = {};
}

void BackendChannel::start_next() {
    if (operations_.empty())
        return;
    Operation& operation = operations_.front();
    const auto sent = send(operation);
    operation.state = sent ? State::kSent : State::kNotSent;
    if (!sent) {
        log_.error("the window was not changed: {}", sent.error().message());
        // Not finished from in here: whoever calls map() relies on being answered later.
        timer_.set(std::chrono::milliseconds(1));
    }
}

Result<void> BackendChannel::send(const Operation& operation) {
    if (!socket_)
        return fail(Fault::kRefused, "the VMM has no backend channel");
    constexpr uint64_t kReadWrite = 1;
    const bool map = operation.kind == Kind::kMap;
    wire::Writer writer;
    writer.number(uint64_t{gpu::kHostVisibleRegion});  // one byte and seven of padding
    writer.number(uint64_t{0});                        // offset in the file
    writer.number(operation.offset);
    writer.number(operation.memory->size());
    writer.number(map ? kReadWrite : uint64_t{0});
    const auto type = map ? BackendRequestType::kMap : BackendRequestType::kUnmap;
    return socket_->send(static_cast<uint32_t>(type), Message::kNeedReply, writer.bytes(),
                         map ? std::optional(operation.memory->file()) : std::nullopt);
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
        const bool accepted = TRY(reader.number<uint64_t>()) == 0;
        if ((message->flags & Message::kReply) == 0 || operations_.empty() ||
            operations_.front().state != State::kSent)
            return fail(Fault::kPeer, "an answer that was not asked for");
        answered(accepted);
    }
    return {};
}

// A guest may touch a mapping only when the VMM has put it into the guest's address space.
// QEMU 11.1 agrees before it has done so; that it then tells us of the new memory is the sign to
// wait for.
void BackendChannel::answered(bool accepted) {
    Operation& operation = operations_.front();
    if (!accepted)
        return finish(fail(Fault::kRefused, "the VMM refused"));
    if (operation.kind == Kind::kUnmap || operation.region_added || !operation.finished)
        return finish({});
    operation.state = State::kAccepted;
    timer_.set(kRegionTimeout);
}

void BackendChannel::time_is_up() {
    if (!timer_.take() || operations_.empty())
        return;
    if (operations_.front().state == State::kNotSent)
        return finish(fail(Fault::kLost, "the VMM could not be asked"));
    if (operations_.front().state != State::kAccepted)
        return;
    log_.warning("the VMM did not report the memory that it mapped; going on without");
    finish({});
}

void BackendChannel::finish(const Result<void>& result) {
    timer_.set(std::chrono::milliseconds(0));
    const Operation operation = std::move(operations_.front());
    operations_.pop_front();
    if (operation.kind == Kind::kUnmap)
        std::erase(mapped_, operation.memory->identity());
    else if (result && operation.finished)
        mapped_.push_back(operation.memory->identity());
    start_next();
    if (operation.finished)
        operation.finished(result);
}

bool BackendChannel::is_ours(const device::FileIdentity& identity) const {
    return std::find(mapped_.begin(), mapped_.end(), identity) != mapped_.end() ||
           std::any_of(operations_.begin(), operations_.end(), [&](const Operation& operation) {
               return operation.memory->identity() == identity;
           });
}

void BackendChannel::region_added(const device::FileIdentity& identity) {
    if (operations_.empty() || operations_.front().kind != Kind::kMap ||
        !(operations_.front().memory->identity() == identity))
        return;
    operations_.front().region_added = true;
    if (operations_.front().state == State::kAccepted)
        finish({});
}

void BackendChannel::disconnect(const std::string& why) {
    log_.warning("the VMM's backend channel is closed: {}", why);
    watch_.reset();
    socket_.reset();
    if (!operations_.empty() && operations_.front().state == State::kSent)
        finish(fail(Fault::kLost, "the VMM closed the backend channel"));
}

}  // namespace virtgpu::vhost_user
