// The guest's end of a ring: requests in, replies out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "wire/ring_memory.h"

namespace virtgpu::wire {

struct Reply {
    uint64_t sequence = 0;
    protocol::Status status{};
    std::vector<std::byte> payload;
};

// Not thread safe: the owner locks.
class GuestRing {
 public:
    explicit GuestRing(RingMemory memory) : memory_(std::move(memory)) {}

    // Largest payload that a request may have.
    size_t largest_request() const;

    // Writes a request and returns its sequence number. Fault::kRefused when it can never fit,
    // nothing when there is no room now: the host has to take earlier requests first.
    Result<std::optional<uint64_t>> send(protocol::Command command, uint64_t after,
                                         std::span<const std::byte> payload);

    // The next reply, if there is one.
    Result<std::optional<Reply>> receive();
    bool reply_ready() const;
    // The same for any thread. One that is being received may count as well.
    bool reply_unread() const;

    // Sequence number of the last request sent, and of the last that the host has done.
    uint64_t sent() const { return sent_; }
    uint64_t completed() const;

    // Whether the host needs a doorbell for what has been sent.
    bool doorbell_needed() const;
    // The same, but for a doorbell that was asked for before and that the host has not heeded yet.
    bool ask_for_doorbell();
    // Before the guest sleeps until `sequence` is done: whether the host sleeps though it has taken
    // the request. Who took it may have another ring to serve; who wakes says that it is done.
    bool ask_for_completion(uint64_t sequence);
    // Says that somebody waits for `sequence` from now on, awake or asleep: the host then waits for
    // its devices.
    void want(uint64_t sequence);
    // Says that the guest is about to sleep until `sequence` is done or there is a reply. Returns
    // false when that is so already. The host then signals the ring when it is.
    bool prepare_wait(uint64_t sequence);
    void end_wait();
    // Asks the host not to compute to their end what the requests up to `sequence` compute.
    void ask_to_abort(uint64_t sequence);

 private:
    RingMemory memory_;
    uint64_t sent_ = 0;
    uint64_t tail_ = 0;
    uint64_t reply_head_ = 0;
    std::optional<uint64_t> rung_at_;  // the host's position when the doorbell was last asked for
    uint64_t completion_asked_ = 0;    // by a doorbell, of requests up to this one
    uint64_t wanted_ = 0;
};

}  // namespace virtgpu::wire
