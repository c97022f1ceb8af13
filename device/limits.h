// What one tenant may hold. A tenant over a limit gets an error reply and keeps what it has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace virtgpu::device {

// A context is a guest process. Each may cost the worker a thread and some megabytes.
inline constexpr size_t kMaxContexts = 128;
// Two eventfds and a worker thread each.
inline constexpr size_t kMaxRingsOfTenant = 1024;
// A few descriptors each; regions are meant to be few and large.
inline constexpr size_t kMaxRegions = 2048;
// LOADLIBRARY commands of one context that wait for the worker. A frontend sends one.
inline constexpr size_t kMaxWaitingLoads = 16;
// Guest memory blobs cost us their page list only.
inline constexpr size_t kMaxGuestBlobs = 4096;
// 16 bytes each: 4 GiB of guest blobs when the guest has no huge pages.
inline constexpr size_t kMaxGuestBlobPages = size_t{1} << 20;
// The longest control command: a guest blob of 1 GiB in single pages.
inline constexpr size_t kMaxControlBytes = size_t{4} << 20;
// Waiters on one ring. More than a few are left-overs of guests that gave up waiting; the oldest
// then wakes for nothing, which guests expect.
inline constexpr size_t kMaxWaitersOfRing = 16;
// Messages that the worker has not taken yet. One that leaves so many is stuck.
inline constexpr size_t kMaxQueuedWorkerMessages = 4096;

}  // namespace virtgpu::device
