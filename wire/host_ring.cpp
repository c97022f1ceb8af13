#include "wire/host_ring.h"

#include <array>
#include <cstring>

#include "wire/record.h"

namespace virtgpu::wire {

using protocol::ReplyHeader;
using protocol::RequestHeader;

Result<std::optional<Request>> HostRing::next() {
    const uint64_t available =
        memory_.request_tail().load(std::memory_order_acquire) - request_head_;
    if (available == 0)
        return std::optional<Request>();
    ByteRing& ring = memory_.requests();
    if (available > ring.capacity() || available < RequestHeader::kSize)
        return fail(Fault::kPeer, "{} bytes announced in a ring of {}", available, ring.capacity());

    // Copied once; the size is checked and used from this copy.
    std::array<std::byte, RequestHeader::kSize> header{};
    ring.copy_out(request_head_, header);
    uint32_t size = 0;
    std::memcpy(&size, header.data() + RequestHeader::kSizeField, sizeof size);
    if (size < header.size() || record_space(size) > available)
        return fail(Fault::kPeer, "a record of {} bytes where {} are available", size, available);

    Request request;
    std::memcpy(&request.command, header.data() + RequestHeader::kCommand, sizeof request.command);
    std::memcpy(&request.after, header.data() + RequestHeader::kAfter, sizeof request.after);
    request.sequence = ++taken_;
    request.payload.resize(size - header.size());
    ring.copy_out(request_head_ + header.size(), request.payload);
    request_head_ += record_space(size);
    memory_.request_head().store(request_head_, std::memory_order_release);
    return std::optional(std::move(request));
}

bool HostRing::has_requests() const {
    return memory_.request_tail().load(std::memory_order_acquire) != request_head_;
}

bool HostRing::is_wanted(uint64_t sequence) const {
    return memory_.wanted().load(std::memory_order_acquire) >= sequence;
}

Result<void> HostRing::reply(uint64_t sequence, protocol::Status status,
                             std::span<const std::byte> payload) {
    ByteRing& ring = memory_.replies();
    const uint64_t size = ReplyHeader::kSize + payload.size();
    const uint64_t space = record_space(size);
    const uint64_t unread = reply_tail_ - memory_.reply_head().load(std::memory_order_acquire);
    if (unread > ring.capacity() || space > ring.capacity() - unread)
        return fail(Fault::kPeer, "no room for a reply of {} bytes: {} of {} are unread", size,
                    unread, ring.capacity());

    std::array<std::byte, ReplyHeader::kSize> header{};
    const auto size_word = static_cast<uint32_t>(size);
    std::memcpy(header.data() + ReplyHeader::kSizeField, &size_word, sizeof size_word);
    std::memcpy(header.data() + ReplyHeader::kStatus, &status, sizeof status);
    std::memcpy(header.data() + ReplyHeader::kSequence, &sequence, sizeof sequence);
    ring.copy_in(reply_tail_, header);
    ring.copy_in(reply_tail_ + header.size(), payload);
    reply_tail_ += space;
    // seq_cst, as in complete(): a guest may sleep for the reply alone.
    memory_.reply_tail().store(reply_tail_, std::memory_order_seq_cst);
    return {};
}

bool HostRing::complete(uint64_t sequence) {
    // seq_cst on both: the guest stores `waiting_for` and then loads `completed`, so one of the two
    // sees the other and no wake-up is lost.
    memory_.completed().store(sequence, std::memory_order_seq_cst);
    return is_slept_for(sequence);
}

bool HostRing::is_slept_for(uint64_t sequence) const {
    const uint64_t waiting_for = memory_.waiting_for().load(std::memory_order_seq_cst);
    return waiting_for != 0 && waiting_for <= sequence;
}

bool HostRing::abort_asked(uint64_t sequence) const {
    return memory_.abort_until().load(std::memory_order_relaxed) >= sequence;
}

bool HostRing::prepare_sleep() {
    memory_.asleep().store(1, std::memory_order_seq_cst);
    if (memory_.request_tail().load(std::memory_order_seq_cst) == request_head_)
        return true;
    end_sleep();
    return false;
}

void HostRing::end_sleep() {
    memory_.asleep().store(0, std::memory_order_relaxed);
}

}  // namespace virtgpu::wire
