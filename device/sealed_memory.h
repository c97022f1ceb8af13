// The memory of regions: memfds that the device process makes, and that nobody can resize.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "device/region_memory.h"
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

// A memfd whose size is sealed: a mapping of it cannot fault because it shrank, and it cannot grow
// past what was accounted. Its pages come when they are allocated or touched.
class SealedFile {
 public:
    static wire::Result<std::shared_ptr<const SealedFile>> create(uint64_t size);

    int number() const { return file_.number(); }
    uint64_t size() const { return size_; }
    FileIdentity identity() const { return identity_; }

    // Pages that are missing when they are touched kill whoever touches them. Fault::kRefused when
    // the host has no memory left.
    wire::Result<void> allocate(uint64_t offset, uint64_t size) const;
    // Gives the pages back; they are zero when they are next used.
    void discard(uint64_t offset, uint64_t size) const;

 private:
    SealedFile(wire::FileDescriptor file, uint64_t size, FileIdentity identity)
        : file_(std::move(file)), size_(size), identity_(identity) {}

    wire::FileDescriptor file_;
    uint64_t size_;
    FileIdentity identity_;
};

// A part of a sealed file, which PageSupply puts pages behind. Lives until the last of its users,
// the worker included, gives it up.
class SealedMemory : public RegionMemory {
 public:
    // `released` is called by the destructor.
    SealedMemory(std::shared_ptr<const SealedFile> sealed_file, uint64_t offset, uint64_t size,
                 std::function<void()> released)
        : RegionMemory(Owner::kUs, size),
          file_(std::move(sealed_file)),
          piece_{file_->number(), offset, size},
          released_(std::move(released)) {}
    ~SealedMemory() override { released_(); }
    SealedMemory(const SealedMemory&) = delete;
    SealedMemory& operator=(const SealedMemory&) = delete;

    int file() const { return piece_.file; }
    const std::shared_ptr<const SealedFile>& sealed_file() const { return file_; }
    uint64_t offset() const { return piece_.offset; }  // in the file; a multiple of the page size
    std::span<const FilePiece> pieces() const override { return {&piece_, 1}; }

 private:
    std::shared_ptr<const SealedFile> file_;
    FilePiece piece_;
    std::function<void()> released_;
};

using SharedMemory = std::shared_ptr<const SealedMemory>;

uint64_t whole_pages(uint64_t size);

class PageSupply;

// Makes memory for one tenant, a file each, up to a limit.
class SealedMemoryAllocator {
 public:
    SealedMemoryAllocator(uint64_t limit, std::shared_ptr<PageSupply> pages)
        : limit_(limit), pages_(std::move(pages)) {}

    // Rounds up to whole pages, which are not there yet. Fault::kRefused over the limit.
    wire::Result<SharedMemory> claim(uint64_t size);
    uint64_t used() const { return *used_; }
    uint64_t room() const { return limit_ - *used_; }

 private:
    uint64_t limit_;
    std::shared_ptr<PageSupply> pages_;
    std::shared_ptr<uint64_t> used_ = std::make_shared<uint64_t>(0);
};

}  // namespace virtgpu::device
