#include "device/virtio/virtqueue.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "wire/reader.h"
#include "wire/writer.h"

namespace virtgpu::virtio {

namespace {

// Flags of a descriptor and of the available ring.
constexpr uint16_t kHasNext = 1;
constexpr uint16_t kWritable = 2;
constexpr uint16_t kIndirect = 4;
constexpr uint16_t kNoInterrupt = 1;

constexpr uint64_t kDescriptorBytes = 16;
constexpr uint64_t kUsedEntryBytes = 8;
constexpr uint64_t kIndexOffset = 2;    // in both rings
constexpr uint64_t kEntriesOffset = 4;  // in both rings
constexpr uint16_t kMaxQueueSize = 32768;
// A descriptor's `next` counts no further.
constexpr uint32_t kMaxTableEntries = 65536;

uint64_t available_entry(const QueueLayout& layout, uint16_t index) {
    return layout.available + kEntriesOffset + 2ULL * (index % layout.size);
}
uint64_t used_event(const QueueLayout& layout) {
    return layout.available + kEntriesOffset + 2ULL * layout.size;
}
uint64_t used_entry(const QueueLayout& layout, uint16_t index) {
    return layout.used + kEntriesOffset + kUsedEntryBytes * (index % layout.size);
}
uint64_t available_event(const QueueLayout& layout) {
    return layout.used + kEntriesOffset + kUsedEntryBytes * layout.size;
}

}  // namespace

uint64_t Chain::readable_size() const {
    uint64_t size = 0;
    for (const Segment& segment : readable)
        size += segment.size;
    return size;
}

Result<Virtqueue> Virtqueue::create(const QueueLayout& layout, uint16_t next, GuestMemory& memory) {
    if (!std::has_single_bit(layout.size) || layout.size > kMaxQueueSize)
        return fail(Fault::kPeer, "a queue of {} descriptors", layout.size);
    if (layout.descriptors % 16 != 0 || layout.available % 2 != 0 || layout.used % 4 != 0)
        return fail(Fault::kPeer, "a misaligned queue");
    TRY(memory.check(layout.descriptors, kDescriptorBytes * layout.size));
    TRY(memory.check(layout.available, used_event(layout) + 2 - layout.available));
    TRY(memory.check(layout.used, available_event(layout) + 2 - layout.used));
    return Virtqueue(layout, next, memory);
}

Result<bool> Virtqueue::has_request() {
    const uint16_t written =
        TRY(memory_->load(layout_.available + kIndexOffset, std::memory_order_acquire));
    const auto waiting = static_cast<uint16_t>(written - next_);
    if (waiting > layout_.size)
        return fail(Fault::kPeer, "{} requests in a queue of {}", waiting, layout_.size);
    return waiting != 0;
}

Result<void> Virtqueue::ask_for_notification() {
    if (layout_.event_index) {
        TRY(memory_->store(available_event(layout_), next_, std::memory_order_relaxed));
        // The driver writes its index and reads our event; we do it the other way round.
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    return {};
}

Result<std::optional<Chain>> Virtqueue::take() {
    if (!TRY(has_request())) {
        TRY(ask_for_notification());
        if (!TRY(has_request()))
            return std::optional<Chain>();
    }
    const uint16_t head =
        TRY(memory_->load(available_entry(layout_, next_), std::memory_order_relaxed));
    ++next_;
    return std::optional(TRY(read_chain(head)));
}

Result<Virtqueue::Descriptor> Virtqueue::read_descriptor(const Table& table, uint16_t index) const {
    if (index >= table.entries)
        return fail(Fault::kPeer, "descriptor {} of {}", index, table.entries);
    std::array<std::byte, kDescriptorBytes> bytes{};
    TRY(memory_->copy_out(table.address + kDescriptorBytes * index, bytes));
    wire::Reader reader(bytes);
    Descriptor descriptor;
    descriptor.address = TRY(reader.number<uint64_t>());
    descriptor.size = TRY(reader.number<uint32_t>());
    descriptor.flags = TRY(reader.number<uint16_t>());
    descriptor.next = TRY(reader.number<uint16_t>());
    return descriptor;
}

Result<Chain> Virtqueue::read_chain(uint16_t head) const {
    Chain chain;
    chain.head = head;
    const Table table{layout_.descriptors, layout_.size};
    const Descriptor first = TRY(read_descriptor(table, head));
    if ((first.flags & kIndirect) == 0)
        TRY(walk(table, head, chain));
    else
        TRY(walk(TRY(indirect_table(first)), 0, chain));
    return chain;
}

Result<Virtqueue::Table> Virtqueue::indirect_table(const Descriptor& descriptor) const {
    if (!layout_.indirect || (descriptor.flags & kHasNext) != 0)
        return fail(Fault::kPeer, "an indirect descriptor where none is allowed");
    const auto entries = static_cast<uint32_t>(descriptor.size / kDescriptorBytes);
    if (descriptor.size % kDescriptorBytes != 0 || entries == 0 || entries > kMaxTableEntries)
        return fail(Fault::kPeer, "an indirect table of {} bytes", descriptor.size);
    return Table{descriptor.address, entries};
}

Result<void> Virtqueue::walk(const Table& table, uint16_t first, Chain& chain) const {
    uint16_t index = first;
    // A chain that is longer than its table runs in a circle.
    for (uint32_t count = 0; count < table.entries; ++count) {
        const Descriptor descriptor = TRY(read_descriptor(table, index));
        if ((descriptor.flags & kIndirect) != 0)
            return fail(Fault::kPeer, "an indirect descriptor inside a chain");
        const bool writable = (descriptor.flags & kWritable) != 0;
        if (!writable && !chain.writable.empty())
            return fail(Fault::kPeer, "a readable descriptor after a writable one");
        (writable ? chain.writable : chain.readable)
            .push_back({descriptor.address, descriptor.size});
        if ((descriptor.flags & kHasNext) == 0)
            return {};
        index = descriptor.next;
    }
    return fail(Fault::kPeer, "a chain of more than {} descriptors", table.entries);
}

Result<Notify> Virtqueue::give_back(uint16_t head, uint32_t written) {
    if (!used_index_)
        used_index_ = TRY(memory_->load(layout_.used + kIndexOffset, std::memory_order_relaxed));
    const uint16_t index = *used_index_;
    wire::Writer entry;
    entry.number(uint32_t{head});
    entry.number(written);
    TRY(memory_->copy_in(used_entry(layout_, index), entry.bytes()));
    used_index_ = static_cast<uint16_t>(index + 1);
    TRY(memory_->store(layout_.used + kIndexOffset, *used_index_, std::memory_order_release));
    // The driver writes its event and reads our index; we do it the other way round.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return wants_notification(index);
}

Result<Notify> Virtqueue::wants_notification(uint16_t index) const {
    if (layout_.event_index) {
        const uint16_t event = TRY(memory_->load(used_event(layout_), std::memory_order_relaxed));
        return event == index ? Notify::kYes : Notify::kNo;
    }
    const uint16_t flags = TRY(memory_->load(layout_.available, std::memory_order_relaxed));
    return (flags & kNoInterrupt) == 0 ? Notify::kYes : Notify::kNo;
}

Chain answer_space(const Chain& chain, size_t limit) {
    Chain space;
    space.head = chain.head;
    uint64_t room = 0;
    for (const Segment& segment : chain.writable) {
        if (room >= limit)
            break;
        room += segment.size;
        if (segment.size != 0)
            space.writable.push_back(segment);
    }
    return space;
}

Result<std::vector<std::byte>> read_chain(const GuestMemory& memory, const Chain& chain,
                                          size_t limit) {
    std::vector<std::byte> bytes;
    bytes.resize(std::min<uint64_t>(chain.readable_size(), limit));
    auto rest = std::span(bytes);
    for (const Segment& segment : chain.readable) {
        const auto part = rest.first(std::min<size_t>(segment.size, rest.size()));
        TRY(memory.copy_out(segment.address, part));
        rest = rest.subspan(part.size());
    }
    return bytes;
}

Result<uint32_t> write_chain(GuestMemory& memory, const Chain& chain,
                             std::span<const std::byte> bytes) {
    auto rest = bytes;
    for (const Segment& segment : chain.writable) {
        const auto part = rest.first(std::min<size_t>(segment.size, rest.size()));
        TRY(memory.copy_in(segment.address, part));
        rest = rest.subspan(part.size());
    }
    return static_cast<uint32_t>(bytes.size() - rest.size());
}

}  // namespace virtgpu::virtio
