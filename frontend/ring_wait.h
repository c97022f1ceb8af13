#pragma once

#include <chrono>
#include <functional>
#include <mutex>

#include "frontend/ring_services.h"
#include "wire/guest_ring.h"

namespace virtgpu::frontend {

// Waits for the host of one ring: looks at the ring for a while, then sleeps, and asks now and then
// whether the host is still there. Whoever waits holds the ring's lock. A failure of any function
// means that the session is lost.
class RingWait {
 public:
    // All of it outlives this object.
    RingWait(const RingServices& services, uint32_t number, wire::GuestRing& ring)
        : services_(services), number_(number), ring_(ring) {}

    // Done, or the host has something to say: a reply, or why a queued request failed.
    bool settled(uint64_t sequence) const {
        return ring_.completed() >= sequence || ring_.reply_ready();
    }
    // Gives the doorbell that the host needs for what was sent.
    wire::Result<void> wake_host();
    // Until the request is settled.
    wire::Result<void> until_done(uint64_t sequence);
    // The same for one with a reply, which comes before what devices still compute is done.
    wire::Result<void> until_answered(uint64_t sequence);
    // The same as until_done(), but false when `unwanted` says so, which is asked every few
    // milliseconds and without the lock.
    wire::Result<bool> until_done_unless(uint64_t sequence, std::unique_lock<std::mutex>& lock,
                                         const std::function<bool()>& unwanted);

 private:
    using Clock = std::chrono::steady_clock;

    // When one wait looks at the ring instead of sleeping.
    struct Looking {
        Clock::time_point from;
        Clock::time_point until;
    };
    Looking plan(Clock::time_point start) const;
    wire::Result<void> pass(uint64_t sequence, Looking& looking, Clock::duration longest);
    wire::Result<void> begin(uint64_t sequence);
    wire::Result<void> sleep(uint64_t sequence);
    bool poll(uint64_t sequence, Clock::duration longest) const;
    wire::Result<void> doze(uint64_t sequence, Clock::duration longest);
    wire::Result<void> doorbell();
    wire::Result<void> check_host(uint64_t sequence);

    const RingServices services_;
    const uint32_t number_;
    wire::GuestRing& ring_;
    Clock::duration last_wait_{};
    Clock::time_point last_check_{};  // when the host was last asked whether it is there
};

}  // namespace virtgpu::frontend
