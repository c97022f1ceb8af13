// The two wake-ups of a ring. The ring's memory is never looked at here.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "device/event_file.h"
#include "device/event_loop.h"

namespace virtgpu::apir {

using Done = std::function<void()>;

// Who is woken when the executor signals completion.
enum class Waiter {
    kFence,  // a VM: fences, which we complete
    kClient  // a container: the client, which polls the eventfd itself
};

class Ring {
 public:
    static wire::Result<std::unique_ptr<Ring>> create(Waiter waiter, device::EventLoop& loop);
    ~Ring() { abandon(); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    const device::EventFile& doorbell() const { return doorbell_; }
    const device::EventFile& completion() const { return completion_; }

    // A client has both eventfds from now on, and we write neither any more: it shares their open
    // file description, so it can make a write block for ever (clear O_NONBLOCK, fill the counter).
    void hand_out() { handed_out_ = true; }
    // Wakes the executor, unless a client has the doorbell and does that itself.
    void ring_doorbell() const;

    // `done` is called when the executor signals next; at once when it has since the last wait. May
    // be called early: guests look at the ring themselves.
    void wait(Done done);
    // Wakes every waiter for nothing.
    void wake_waiters();
    // Nobody will signal any more: wakes every waiter, now and from now on. A client that has the
    // eventfds learns of it by PING.
    void abandon();

 private:
    Ring(device::EventFile doorbell, device::EventFile completion)
        : doorbell_(std::move(doorbell)), completion_(std::move(completion)) {}
    void signaled();

    device::EventFile doorbell_;
    device::EventFile completion_;
    std::deque<Done> waiters_;
    bool signaled_ = false;  // with nobody waiting
    bool abandoned_ = false;
    bool handed_out_ = false;
    device::Watch watch_;
};

}  // namespace virtgpu::apir
