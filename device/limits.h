// What one tenant may hold. A tenant over a limit gets an error reply and keeps what it has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace virtgpu::device {

// What the operator decides.
struct TenantLimits {
    // A context is a guest process. Each may cost the worker a thread and some megabytes.
    size_t contexts = 128;
    // A few descriptors each; regions are meant to be few and large.
    size_t regions = 2048;
    // Bytes of one ring's requests that wait.
    uint64_t queue_bytes = uint64_t{16} << 20;
    // Otherwise frontends are told that the host speaks level 1 alone.
    bool level2 = true;
};

// Two eventfds and a worker thread each.
inline constexpr size_t kMaxRingsOfTenant = 1024;
// LOADLIBRARY commands of one context that wait for the worker. A frontend sends one.
inline constexpr size_t kMaxWaitingLoads = 16;
// FORWARD commands of one context that the worker has not answered. Upstream's frontend waits for
// each, so it has one per thread.
inline constexpr size_t kMaxWaitingForwards = 64;
// Resources in the guest's own memory. Their pieces are counted too: protocol::kMaxPieces.
inline constexpr size_t kMaxGuestResources = 4096;
// The longest control command: a guest blob of 1 GiB in single pages.
inline constexpr size_t kMaxControlBytes = size_t{4} << 20;
// Waiters on one ring. More than a few are left-overs of guests that gave up waiting; the oldest
// then wakes for nothing, which guests expect.
inline constexpr size_t kMaxWaitersOfRing = 16;
// Messages that the worker has not taken yet. One that leaves so many is stuck.
inline constexpr size_t kMaxQueuedWorkerMessages = 4096;

}  // namespace virtgpu::device
