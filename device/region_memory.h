// Memory that a context shares with the worker: ours (SealedMemory) or the guest's (GuestRegion).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace virtgpu::device {

struct FilePiece {
    int file = -1;
    uint64_t offset = 0;  // a multiple of the page size
    uint64_t size = 0;    // bytes, whole pages
};

class RegionMemory {
 public:
    enum class Owner {
        kUs,
        // The VMM can truncate the file, and the guest uses the pages for something else after a
        // reset, whoever still works in them.
        kGuest,
    };

    virtual ~RegionMemory() = default;
    RegionMemory(const RegionMemory&) = delete;
    RegionMemory& operator=(const RegionMemory&) = delete;

    Owner owner() const { return owner_; }
    uint64_t size() const { return size_; }  // bytes, whole pages
    // At least one, in the order of the region's bytes. The files are the memory's.
    virtual std::span<const FilePiece> pieces() const = 0;

 protected:
    RegionMemory(Owner owner, uint64_t size) : owner_(owner), size_(size) {}

 private:
    Owner owner_;
    uint64_t size_;
};

using AnyMemory = std::shared_ptr<const RegionMemory>;

}  // namespace virtgpu::device
