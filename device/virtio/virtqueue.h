// A split virtqueue (virtio specification 1.2, section 2.7), the device's side.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "device/virtio/guest_memory.h"

namespace virtgpu::virtio {

struct Segment {
    uint64_t address = 0;
    uint32_t size = 0;
};

// A request of the driver: where it is and where its answer goes.
struct Chain {
    uint16_t head = 0;
    std::vector<Segment> readable;
    std::vector<Segment> writable;

    uint64_t readable_size() const;
};

struct QueueLayout {
    uint16_t size = 0;  // descriptors, a power of two
    uint64_t descriptors = 0;
    uint64_t available = 0;
    uint64_t used = 0;         // guest-physical addresses
    bool event_index = false;  // VIRTIO_F_EVENT_IDX
    bool indirect = false;     // VIRTIO_F_INDIRECT_DESC
};

enum class Notify { kNo, kYes };

// Not limited to 1,024 descriptors, as libvhost-user's is: an indirect table may have as many as
// its index can count. What the driver wrote is hostile; Fault::kPeer means that the queue is
// broken and nothing more can be taken from it.
class Virtqueue {
 public:
    // `next`: index of the first request to take, in the driver's counting. Fault::kPeer for a
    // layout that is misaligned or not in guest memory.
    static Result<Virtqueue> create(const QueueLayout& layout, uint16_t next, GuestMemory& memory);

    // The next request, or nothing; then the driver has been asked to notify us of the next one.
    Result<std::optional<Chain>> take();
    // Gives a request back with an answer of `written` bytes. kYes: the driver wants to be
    // notified.
    Result<Notify> give_back(uint16_t head, uint32_t written);

    uint16_t next() const { return next_; }

 private:
    struct Descriptor {
        uint64_t address = 0;
        uint32_t size = 0;
        uint16_t flags = 0;
        uint16_t next = 0;
    };
    // Where a chain's descriptors are.
    struct Table {
        uint64_t address = 0;
        uint32_t entries = 0;
    };

    Virtqueue(const QueueLayout& layout, uint16_t next, GuestMemory& memory)
        : layout_(layout), memory_(&memory), next_(next) {}

    Result<bool> has_request();
    Result<void> ask_for_notification();
    Result<Descriptor> read_descriptor(const Table& table, uint16_t index) const;
    Result<Chain> read_chain(uint16_t head) const;
    Result<void> walk(const Table& table, uint16_t first, Chain& chain) const;
    Result<Table> indirect_table(const Descriptor& descriptor) const;
    Result<Notify> wants_notification(uint16_t index) const;

    QueueLayout layout_;
    GuestMemory* memory_;
    uint16_t next_;
    std::optional<uint16_t> used_index_;  // read once: nobody else writes it
};

// What giving an answer of at most `limit` bytes needs of a chain. A chain may have as many
// segments as an indirect table counts, and many chains the same table: whoever keeps a chain keeps
// this.
Chain answer_space(const Chain& chain, size_t limit);

// The first bytes of what a chain holds, at most `limit`.
Result<std::vector<std::byte>> read_chain(const GuestMemory& memory, const Chain& chain,
                                          size_t limit);
// Writes as much as the chain has room for; returns how much that was.
Result<uint32_t> write_chain(GuestMemory& memory, const Chain& chain,
                             std::span<const std::byte> bytes);

}  // namespace virtgpu::virtio
