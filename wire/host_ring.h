// The host's end of a ring. Everything read from it was written by the guest and is hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "wire/ring_memory.h"

namespace virtgpu::wire {

struct Request {
    uint64_t sequence = 0;
    uint32_t command = 0;
    uint64_t after = 0;
    std::vector<std::byte> payload;  // a private copy
};

// For one thread. Positions are kept privately and only published in shared memory, so that a guest
// that overwrites them confuses nobody but itself.
class HostRing {
 public:
    explicit HostRing(RingMemory memory) : memory_(std::move(memory)) {}

    // The next request, if there is one. Fault::kPeer when the guest's positions or sizes are
    // wrong.
    Result<std::optional<Request>> next();

    bool has_requests() const;
    // Whether the guest waits for this request, or for a later one, awake or asleep.
    bool is_wanted(uint64_t sequence) const;
    // Whether the guest no longer wants what this request computes. From any thread.
    bool abort_asked(uint64_t sequence) const;

    // Writes a reply. Fault::kPeer when there is no room: a guest keeps room for what it asks.
    Result<void> reply(uint64_t sequence, protocol::Status status,
                       std::span<const std::byte> payload);
    // Publishes that the request is done. True when the guest sleeps until then and must be
    // signaled.
    bool complete(uint64_t sequence);

    // Whether the guest sleeps until this request, or an earlier one, is done or answered.
    bool is_slept_for(uint64_t sequence) const;

    // Before sleeping: true when the ring is still empty after the guest has been told that it must
    // ring the doorbell.
    bool prepare_sleep();
    void end_sleep();

 private:
    RingMemory memory_;
    uint64_t taken_ = 0;
    uint64_t request_head_ = 0;
    uint64_t reply_tail_ = 0;
};

}  // namespace virtgpu::wire
