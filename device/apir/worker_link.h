// The running compute worker and the socket to it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device/apir/worker_launcher.h"
#include "device/event_loop.h"
#include "device/timer.h"
#include "wire/generated/messages.h"
#include "wire/log.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::apir {

using device::EventLoop;
using wire::Fault;
using wire::Result;

// Started by start(), killed by the destructor. Never blocks: what the worker does not take at once
// is queued.
class WorkerLink {
 public:
    // Both are called from the event loop. After on_gone the link carries nothing any more; only
    // its end, which comes soon after, remains to be logged.
    using OnMessage = std::function<void(const wire::WorkerRequest&)>;
    using OnGone = std::function<void()>;

    static Result<std::unique_ptr<WorkerLink>> start(WorkerLauncher& launcher, EventLoop& loop,
                                                     wire::Log& log, OnMessage on_message,
                                                     OnGone on_gone);
    WorkerLink(const WorkerLink&) = delete;
    WorkerLink& operator=(const WorkerLink&) = delete;

    // The descriptors are duplicated. Nothing is sent to a worker that is gone.
    void send(std::span<const std::byte> message, std::span<const int> files);
    // Notices an end that the event loop has not come to yet. Then calls on_gone, after on_message
    // for what the worker still said.
    void notice_end();
    // Stops all that the process does, at once; ends it when it cannot be stopped.
    void pause();
    void resume();
    // Ends the process and waits until it has. Then calls on_gone.
    void end(const char* why);
    // Asks the worker to finish what it has and to exit.
    void drain();
    bool ended() const { return ended_; }

 private:
    struct Outgoing {
        std::vector<std::byte> bytes;
        std::vector<wire::FileDescriptor> files;
    };

    WorkerLink(WorkerProcess process, wire::PacketSocket socket, EventLoop& loop, wire::Log& log,
               OnMessage on_message, OnGone on_gone);
    Result<void> watch();
    void socket_ready();
    void process_ended();
    Result<void> flush();
    Result<void> retry_later(const wire::Error& error);
    Result<void> receive();
    void end_process(const char* why);
    void give_up(const std::string& why);

    WorkerProcess process_;
    wire::PacketSocket socket_;
    EventLoop& loop_;
    std::optional<device::Timer> retry_;  // once it was needed
    int retries_ = 0;                     // since a message was last taken
    wire::Log& log_;
    OnMessage on_message_;
    OnGone on_gone_;
    std::deque<Outgoing> queue_;
    bool draining_ = false;
    bool paused_ = false;
    bool ended_by_us_ = false;
    bool gone_ = false;
    bool ended_ = false;
    device::Watch socket_watch_;
    device::Watch process_watch_;
    device::Watch retry_watch_;
};

}  // namespace virtgpu::apir
