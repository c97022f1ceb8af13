#include "wire/ring_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace virtgpu::wire {

using protocol::RingHeader;

// Positions and encoded fields are shared as they stand in memory.
static_assert(std::endian::native == std::endian::little);

void ByteRing::copy_out(uint64_t position, std::span<std::byte> to) const {
    if (to.empty())  // and so without an address that memcpy may be given
        return;
    const size_t start = position & (capacity_ - 1);
    const size_t before_wrap = std::min(to.size(), capacity_ - start);
    std::memcpy(to.data(), base_ + start, before_wrap);
    std::memcpy(to.data() + before_wrap, base_, to.size() - before_wrap);
}

void ByteRing::copy_in(uint64_t position, std::span<const std::byte> from) {
    if (from.empty())
        return;
    const size_t start = position & (capacity_ - 1);
    const size_t before_wrap = std::min(from.size(), capacity_ - start);
    std::memcpy(base_ + start, from.data(), before_wrap);
    std::memcpy(base_, from.data() + before_wrap, from.size() - before_wrap);
}

size_t RingMemory::bytes_needed(uint32_t request_bytes, uint32_t reply_bytes) {
    return RingHeader::kSize + size_t{request_bytes} + reply_bytes;
}

Result<RingMemory> RingMemory::create(std::shared_ptr<Region> region, uint32_t request_bytes,
                                      uint32_t reply_bytes) {
    for (const uint32_t capacity : {request_bytes, reply_bytes})
        if (!std::has_single_bit(capacity) || capacity < kSmallestCapacity ||
            capacity > kLargestCapacity)
            return fail(Fault::kPeer, "{} is no ring capacity", capacity);
    if (region->size() < bytes_needed(request_bytes, reply_bytes))
        return fail(Fault::kPeer, "a ring of {}+{} bytes does not fit a region of {}",
                    request_bytes, reply_bytes, region->size());
    return RingMemory(std::move(region), request_bytes, reply_bytes);
}

RingMemory::RingMemory(std::shared_ptr<Region> region, uint32_t request_bytes, uint32_t reply_bytes)
    : region_(std::move(region)),
      requests_(region_->base_ + RingHeader::kSize, request_bytes),
      replies_(region_->base_ + RingHeader::kSize + request_bytes, reply_bytes) {}

template <typename T>
std::atomic_ref<T> RingMemory::word(size_t offset) const {
    static_assert(std::atomic_ref<T>::is_always_lock_free);
    // Regions are page aligned, and the generator checks that each field is aligned to its size.
    return std::atomic_ref<T>(*reinterpret_cast<T*>(region_->base_ + offset));
}

std::atomic_ref<uint64_t> RingMemory::request_tail() const {
    return word<uint64_t>(RingHeader::kRequestTail);
}
std::atomic_ref<uint64_t> RingMemory::request_head() const {
    return word<uint64_t>(RingHeader::kRequestHead);
}
std::atomic_ref<uint64_t> RingMemory::reply_tail() const {
    return word<uint64_t>(RingHeader::kReplyTail);
}
std::atomic_ref<uint64_t> RingMemory::reply_head() const {
    return word<uint64_t>(RingHeader::kReplyHead);
}
std::atomic_ref<uint64_t> RingMemory::waiting_for() const {
    return word<uint64_t>(RingHeader::kWaitingFor);
}
std::atomic_ref<uint64_t> RingMemory::abort_until() const {
    return word<uint64_t>(RingHeader::kAbortUntil);
}
std::atomic_ref<uint64_t> RingMemory::wanted() const {
    return word<uint64_t>(RingHeader::kWanted);
}
std::atomic_ref<uint64_t> RingMemory::completed() const {
    return word<uint64_t>(RingHeader::kCompleted);
}
std::atomic_ref<uint32_t> RingMemory::asleep() const {
    return word<uint32_t>(RingHeader::kAsleep);
}

}  // namespace virtgpu::wire
