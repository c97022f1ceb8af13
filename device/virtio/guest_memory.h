// The guest's memory as the VMM shares it with us.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::virtio {

using wire::Fault;
using wire::Result;

// A range of guest-physical addresses, and where the VMM has it.
struct MemoryRange {
    uint64_t guest_address = 0;
    uint64_t size = 0;         // bytes
    uint64_t vmm_address = 0;  // in the VMM's address space: rings are given by those
    uint64_t file_offset = 0;

    bool operator==(const MemoryRange&) const = default;
};

// Where a piece of guest memory lies in a file of the VMM's.
struct FilePlace {
    std::shared_ptr<const wire::FileDescriptor> file;
    uint64_t offset = 0;  // bytes
};

// Everything in here can change at any moment, so bytes are copied out before they are looked at.
// Addresses come from the guest or the VMM: those that are not shared memory are Fault::kPeer.
class GuestMemory {
 public:
    // Fails when the range overlaps another, or is larger than its file. The file may be closed.
    Result<void> add(const MemoryRange& range, int file);
    // A range that exists in the guest but that no address may lead to: memory of ours that is in
    // the guest's window.
    Result<void> add_unusable(const MemoryRange& range);
    void clear() { ranges_.clear(); }

    Result<void> copy_out(uint64_t address, std::span<std::byte> to) const;
    Result<void> copy_in(uint64_t address, std::span<const std::byte> from);
    // Fails as copy_in would.
    Result<void> check(uint64_t address, uint64_t size) const;

    // Fault::kPeer, too, for what cannot be mapped by itself, being no whole pages of its file.
    Result<FilePlace> place_in_file(uint64_t address, uint64_t size) const;

    // The words that rings are synchronised by; addresses are multiples of two.
    Result<uint16_t> load(uint64_t address, std::memory_order order) const;
    Result<void> store(uint64_t address, uint16_t value, std::memory_order order);

    // The guest-physical address of an address in the VMM.
    Result<uint64_t> from_vmm(uint64_t vmm_address) const;

 private:
    class Mapping {
     public:
        Mapping(std::byte* memory, size_t size) : memory_(memory), size_(size) {}
        ~Mapping();
        Mapping(const Mapping&) = delete;
        Mapping& operator=(const Mapping&) = delete;
        std::byte* memory() const { return memory_; }

     private:
        std::byte* memory_;
        size_t size_;
    };
    struct Mapped {
        MemoryRange range;
        std::unique_ptr<Mapping> mapping;  // none for an unusable range
        size_t start = 0;                  // of the range in the mapping
        std::shared_ptr<const wire::FileDescriptor> file{};
        uint64_t page = 0;  // bytes: huge ones in a file of huge pages
    };

    Result<void> check_new(const MemoryRange& range) const;
    // The range that holds all of these bytes.
    Result<const Mapped*> find(uint64_t address, uint64_t size) const;
    Result<std::byte*> locate(uint64_t address, uint64_t size) const;

    std::vector<Mapped>
        ranges_;  // few: main memory is one or two, and unusable ones are at the end
};

}  // namespace virtgpu::virtio
