// The memory of regions: memfds that the device process makes, and that nobody can resize.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

// Which file a descriptor refers to, so that our memory is known when it comes back by another one.
struct FileIdentity {
    dev_t filesystem = 0;
    ino_t node = 0;

    static wire::Result<FileIdentity> of(int descriptor);
    bool operator==(const FileIdentity&) const = default;
};

// A memfd whose pages are all there and whose size is sealed: a mapping of it can neither fault
// (shrinking) nor grow past what was accounted. Lives until the last of its users gives it up.
class SealedMemory {
 public:
    ~SealedMemory();
    SealedMemory(const SealedMemory&) = delete;
    SealedMemory& operator=(const SealedMemory&) = delete;

    int file() const { return file_.number(); }
    uint64_t size() const { return size_; }  // bytes, whole pages
    FileIdentity identity() const { return identity_; }

 private:
    friend class SealedMemoryAllocator;
    SealedMemory(wire::FileDescriptor file, uint64_t size, FileIdentity identity,
                 std::shared_ptr<uint64_t> used);

    wire::FileDescriptor file_;
    uint64_t size_;
    FileIdentity identity_;
    std::shared_ptr<uint64_t> used_;
};

using SharedMemory = std::shared_ptr<const SealedMemory>;

// Makes memory for one tenant, up to a limit.
class SealedMemoryAllocator {
 public:
    explicit SealedMemoryAllocator(uint64_t limit) : limit_(limit) {}

    // Rounds up to whole pages. Fault::kRefused over the limit or when the host has no memory left.
    wire::Result<SharedMemory> allocate(uint64_t size);
    uint64_t used() const { return *used_; }

 private:
    uint64_t limit_;
    std::shared_ptr<uint64_t> used_ = std::make_shared<uint64_t>(0);
};

}  // namespace virtgpu::device
