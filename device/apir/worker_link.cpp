#include "device/apir/worker_link.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include "device/limits.h"

namespace virtgpu::apir {

using device::Interest;
using wire::PacketSocket;

namespace {

constexpr std::chrono::milliseconds kAtOnce(0);
constexpr std::chrono::milliseconds kRetryInterval(10);
constexpr int kMaxRetries = 500;
// A process that is killed may take a moment to give back the memory of its devices.
constexpr std::chrono::milliseconds kEndTimeout(5000);

}  // namespace

WorkerLink::WorkerLink(WorkerProcess process, PacketSocket socket, EventLoop& loop, wire::Log& log,
                       OnMessage on_message, OnGone on_gone)
    : process_(std::move(process)),
      socket_(std::move(socket)),
      loop_(loop),
      log_(log),
      on_message_(std::move(on_message)),
      on_gone_(std::move(on_gone)) {}

Result<std::unique_ptr<WorkerLink>> WorkerLink::start(WorkerLauncher& launcher, EventLoop& loop,
                                                      wire::Log& log, OnMessage on_message,
                                                      OnGone on_gone) {
    auto [ours, theirs] = TRY(PacketSocket::make_pair());
    auto process = TRY(launcher.launch(theirs));
    log.info("worker {} started", process.pid());
    std::unique_ptr<WorkerLink> link(new WorkerLink(std::move(process), std::move(ours), loop, log,
                                                    std::move(on_message), std::move(on_gone)));
    TRY(link->watch());
    return link;
}

Result<void> WorkerLink::watch() {
    socket_watch_ =
        TRY(loop_.watch(socket_.number(), Interest::kReadable, [this] { socket_ready(); }));
    process_watch_ = TRY(
        loop_.watch(process_.end_descriptor(), Interest::kReadable, [this] { process_ended(); }));
    return {};
}

void WorkerLink::send(std::span<const std::byte> message, std::span<const int> files) {
    if (gone_)
        return;
    Outgoing outgoing;
    outgoing.bytes.assign(message.begin(), message.end());
    for (const int file : files) {
        outgoing.files.emplace_back(::fcntl(file, F_DUPFD_CLOEXEC, 0));
        if (!outgoing.files.back())
            return end_process("no descriptor is left for a message to it");
    }
    if (queue_.size() == device::kMaxQueuedWorkerMessages)
        return end_process("it takes no messages");
    queue_.push_back(std::move(outgoing));
    if (const auto flushed = flush(); !flushed)
        log_.debug("worker {}: {}", process_.pid(), flushed.error().message());
}

// Its end then arrives by the event loop, so that send() never calls back into its caller.
void WorkerLink::end_process(const char* why) {
    log_.error("worker {} is ended: {}", process_.pid(), why);
    process_.kill();
}

// A broken socket is left to socket_ready(), for the same reason.
Result<void> WorkerLink::flush() {
    while (!queue_.empty()) {
        std::vector<int> files;
        for (const auto& file : queue_.front().files)
            files.push_back(file.number());
        const auto sent = socket_.send(queue_.front().bytes, files, kAtOnce);
        if (!sent && sent.error().fault() == Fault::kRefused)
            break;
        if (!sent && sent.error().fault() == Fault::kSystem)
            return retry_later(sent.error());
        TRY(sent);
        queue_.pop_front();
        retries_ = 0;
    }
    socket_watch_.set_interest(queue_.empty() ? Interest::kReadable
                                              : Interest::kReadableAndWritable);
    return {};
}

// The system lacks something for the moment: memory (ENOBUFS), or room for descriptors that are on
// their way (ETOOMANYREFS). The socket does not tell when that has passed.
Result<void> WorkerLink::retry_later(const wire::Error& error) {
    if (++retries_ > kMaxRetries)
        return tl::unexpected(error);
    if (!retry_) {
        retry_ = TRY(device::Timer::create());
        retry_watch_ = TRY(loop_.watch(retry_->number(), Interest::kReadable, [this] {
            if (retry_->take() && !gone_)
                socket_ready();
        }));
    }
    socket_watch_.set_interest(Interest::kReadable);
    retry_->set(kRetryInterval);
    return {};
}

void WorkerLink::socket_ready() {
    const auto flushed = flush();
    const auto received = receive();
    if (!received || !flushed)
        give_up(received ? flushed.error().message() : received.error().message());
}

Result<void> WorkerLink::receive() {
    while (!gone_) {
        const auto packet = TRY(socket_.receive(kAtOnce));
        if (!packet)
            break;
        wire::Reader reader(packet->bytes);
        const auto id = TRY(reader.number<uint32_t>());
        on_message_(TRY(
            wire::decode_worker_request(id, std::span(packet->bytes).subspan(sizeof(uint32_t)))));
    }
    return {};
}

void WorkerLink::process_ended() {
    // What it said before its end counts, for instance why it closed a context.
    if (!gone_)
        socket_ready();
    if (!gone_)
        give_up("its process ended");
    process_watch_.reset();
    ended_ = true;
    const auto end = process_.wait(kAtOnce);
    if (!end)
        return;
    const bool expected = ended_by_us_ || (draining_ && end->signal == 0 && end->exit_code == 0);
    const auto message = wire::format("worker {} {}", process_.pid(), end->describe());
    log_.write(expected ? wire::LogLevel::kInfo : wire::LogLevel::kError, message);
}

void WorkerLink::notice_end() {
    if (gone_)
        return;
    // A process that ends closes its socket some time before it has ended.
    pollfd entry{socket_.number(), 0, 0};
    if (::poll(&entry, 1, 0) > 0)
        socket_ready();
    if (!gone_ && process_.wait(kAtOnce))
        process_ended();
}

void WorkerLink::give_up(const std::string& why) {
    if (gone_)
        return;
    log_.debug("worker {}: {}", process_.pid(), why);
    gone_ = true;
    queue_.clear();
    socket_watch_.reset();
    retry_watch_.reset();
    if (!draining_)  // else it is on its way out, and the end of the drain's time is its limit
        process_.kill();
    on_gone_();
}

void WorkerLink::pause() {
    if (gone_ || paused_)
        return;
    paused_ = process_.stop();
    if (!paused_)
        end("it does not stop when the VM does");
}

void WorkerLink::resume() {
    if (std::exchange(paused_, false))
        process_.resume();
}

void WorkerLink::end(const char* why) {
    log_.info("worker {} is ended: {}", process_.pid(), why);
    ended_by_us_ = true;
    process_.kill();
    if (!process_.wait(kEndTimeout))
        log_.error("worker {} does not end", process_.pid());
    notice_end();
}

void WorkerLink::drain() {
    draining_ = true;
    resume();
    wire::Writer writer;
    writer.number(static_cast<uint32_t>(protocol::WorkerMessage::kDrain));
    send(writer.bytes(), {});
}

}  // namespace virtgpu::apir
