// The shared memory of a ring: a page of positions, the request bytes and the reply bytes
// (docs/PROTOCOL.md, RingHeader).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "protocol/generated/structures.h"
#include "wire/region.h"

namespace virtgpu::wire {

// One direction's bytes. Positions count from the ring's start and never wrap; they are masked here
// and nowhere else, so no position, however wrong, leads outside.
class ByteRing {
 public:
    ByteRing(std::byte* base, uint32_t capacity) : base_(base), capacity_(capacity) {}

    uint32_t capacity() const { return capacity_; }
    // At most capacity() bytes.
    void copy_out(uint64_t position, std::span<std::byte> to) const;
    void copy_in(uint64_t position, std::span<const std::byte> from);

 private:
    std::byte* base_;
    uint32_t capacity_;
};

// The words and bytes of a ring at the start of a region, which it keeps alive.
class RingMemory {
 public:
    static constexpr uint32_t kSmallestCapacity = 4096;
    static constexpr uint32_t kLargestCapacity = 16U << 20;
    static size_t bytes_needed(uint32_t request_bytes, uint32_t reply_bytes);

    // Fails with Fault::kPeer for sizes that are no powers of two in range, or larger than the
    // region.
    static Result<RingMemory> create(std::shared_ptr<Region> region, uint32_t request_bytes,
                                     uint32_t reply_bytes);

    std::atomic_ref<uint64_t> request_tail() const;
    std::atomic_ref<uint64_t> request_head() const;
    std::atomic_ref<uint64_t> reply_tail() const;
    std::atomic_ref<uint64_t> reply_head() const;
    std::atomic_ref<uint64_t> waiting_for() const;
    std::atomic_ref<uint64_t> abort_until() const;
    std::atomic_ref<uint64_t> wanted() const;
    std::atomic_ref<uint64_t> completed() const;
    std::atomic_ref<uint32_t> asleep() const;

    ByteRing& requests() { return requests_; }
    const ByteRing& requests() const { return requests_; }
    ByteRing& replies() { return replies_; }

 private:
    RingMemory(std::shared_ptr<Region> region, uint32_t request_bytes, uint32_t reply_bytes);

    template <typename T>
    std::atomic_ref<T> word(size_t offset) const;

    std::shared_ptr<Region> region_;
    ByteRing requests_;
    ByteRing replies_;
};

}  // namespace virtgpu::wire
