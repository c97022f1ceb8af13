#include "wire/guest_ring.h"

#include <algorithm>
#include <cstring>

#include "wire/record.h"

namespace virtgpu::wire {

using protocol::ReplyHeader;
using protocol::RequestHeader;

size_t GuestRing::largest_request() const {
    return memory_.requests().capacity() - RequestHeader::kSize;
}

Result<std::optional<uint64_t>> GuestRing::send(protocol::Command command, uint64_t after,
                                                std::span<const std::byte> payload) {
    ByteRing& ring = memory_.requests();
    if (payload.size() > largest_request())
        return fail(Fault::kRefused, "a request of {} bytes does not fit a ring of {}",
                    payload.size(), ring.capacity());
    const uint64_t size = RequestHeader::kSize + payload.size();
    const uint64_t space = record_space(size);
    const uint64_t head = memory_.request_head().load(std::memory_order_acquire);
    if (tail_ - head > ring.capacity())
        return fail(Fault::kLost, "the host's position in the ring makes no sense");
    if (space > ring.capacity() - (tail_ - head))
        return std::optional<uint64_t>();

    std::array<std::byte, RequestHeader::kSize> header{};
    const auto size_word = static_cast<uint32_t>(size);
    const auto command_word = static_cast<uint32_t>(command);
    std::memcpy(header.data() + RequestHeader::kSizeField, &size_word, sizeof size_word);
    std::memcpy(header.data() + RequestHeader::kCommand, &command_word, sizeof command_word);
    std::memcpy(header.data() + RequestHeader::kAfter, &after, sizeof after);
    ring.copy_in(tail_, header);
    ring.copy_in(tail_ + header.size(), payload);
    tail_ += space;
    // seq_cst: ordered before the load of `asleep` in doorbell_needed, as the host's store of
    // `asleep` is before its load of this word. One of the two sees the other.
    memory_.request_tail().store(tail_, std::memory_order_seq_cst);
    return ++sent_;
}

bool GuestRing::reply_ready() const {
    return memory_.reply_tail().load(std::memory_order_acquire) != reply_head_;
}

bool GuestRing::reply_unread() const {
    return memory_.reply_tail().load(std::memory_order_acquire) !=
           memory_.reply_head().load(std::memory_order_acquire);
}

Result<std::optional<Reply>> GuestRing::receive() {
    const uint64_t available = memory_.reply_tail().load(std::memory_order_acquire) - reply_head_;
    if (available == 0)
        return std::optional<Reply>();
    ByteRing& ring = memory_.replies();
    std::array<std::byte, ReplyHeader::kSize> header{};
    ring.copy_out(reply_head_, header);
    uint32_t size = 0;
    std::memcpy(&size, header.data() + ReplyHeader::kSizeField, sizeof size);
    if (available > ring.capacity() || size < header.size() || record_space(size) > available)
        return fail(Fault::kLost, "the host's reply of {} bytes makes no sense", size);

    Reply reply;
    std::memcpy(&reply.status, header.data() + ReplyHeader::kStatus, sizeof reply.status);
    std::memcpy(&reply.sequence, header.data() + ReplyHeader::kSequence, sizeof reply.sequence);
    reply.payload.resize(size - header.size());
    ring.copy_out(reply_head_ + header.size(), reply.payload);
    reply_head_ += record_space(size);
    memory_.reply_head().store(reply_head_, std::memory_order_release);
    return std::optional(std::move(reply));
}

uint64_t GuestRing::completed() const {
    return memory_.completed().load(std::memory_order_acquire);
}

bool GuestRing::doorbell_needed() const {
    return memory_.asleep().load(std::memory_order_seq_cst) != 0;
}

bool GuestRing::ask_for_doorbell() {
    if (!doorbell_needed())
        return false;
    // Whoever wakes takes all there is, so as long as nothing was taken it has yet to wake.
    const uint64_t head = memory_.request_head().load(std::memory_order_acquire);
    if (head == tail_ || rung_at_ == head)
        return false;
    rung_at_ = head;
    return true;
}

bool GuestRing::ask_for_completion(uint64_t sequence) {
    // In this order: a host that wakes says so before it takes anything.
    const bool all_taken = memory_.request_head().load(std::memory_order_acquire) == tail_;
    if (!all_taken || completion_asked_ >= sequence || completed() >= sequence ||
        !doorbell_needed())
        return false;
    completion_asked_ = sequence;
    return true;
}

// Never back: another thread may still wait for a later one.
void GuestRing::want(uint64_t sequence) {
    wanted_ = std::max(wanted_, sequence);
    memory_.wanted().store(wanted_, std::memory_order_release);
}

bool GuestRing::prepare_wait(uint64_t sequence) {
    memory_.waiting_for().store(sequence, std::memory_order_seq_cst);
    if (memory_.completed().load(std::memory_order_seq_cst) < sequence &&
        memory_.reply_tail().load(std::memory_order_seq_cst) == reply_head_)
        return true;
    end_wait();
    return false;
}

void GuestRing::end_wait() {
    memory_.waiting_for().store(0, std::memory_order_relaxed);
}

void GuestRing::ask_to_abort(uint64_t sequence) {
    memory_.abort_until().store(sequence, std::memory_order_relaxed);
}

}  // namespace virtgpu::wire
