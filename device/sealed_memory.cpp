#include "device/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace virtgpu::device {

using wire::Fault;
using wire::Result;

Result<FileIdentity> FileIdentity::of(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        return wire::system_failure(errno, "looking at a descriptor");
    return FileIdentity{status.st_dev, status.st_ino};
}

SealedMemory::SealedMemory(wire::FileDescriptor file, uint64_t size, FileIdentity identity,
                           std::shared_ptr<uint64_t> used)
    : file_(std::move(file)), size_(size), identity_(identity), used_(std::move(used)) {
    *used_ += size_;
}

SealedMemory::~SealedMemory() {
    // A client may keep its descriptor, and the pages with it. What it touches from now on is
    // accounted to it, as with any file of its own.
    ::fallocate(file_.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                static_cast<off_t>(size_));
    *used_ -= size_;
}

Result<SharedMemory> SealedMemoryAllocator::allocate(uint64_t size) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (size == 0 || size > limit_)
        return fail(Fault::kRefused, "a region of {} bytes where at most {} are allowed", size,
                    limit_);
    const uint64_t rounded = (size + page - 1) / page * page;
    if (rounded > limit_ - *used_)
        return fail(Fault::kRefused, "a region of {} bytes; {} of {} are in use", rounded, *used_,
                    limit_);
    wire::FileDescriptor file(
        ::memfd_create("ggml-virtgpu-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file)
        return wire::system_failure(errno, "creating a memfd");
    // Also sets the size. Pages that are missing later would kill whoever touches them.
    if (::fallocate(file.number(), 0, 0, static_cast<off_t>(rounded)) != 0)
        return fail(Fault::kRefused, "the host has no memory for a region of {} bytes: {}", rounded,
                    std::strerror(errno));
    if (::fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return wire::system_failure(errno, "sealing a memfd");
    const auto identity = TRY(FileIdentity::of(file.number()));
    return SharedMemory(new SealedMemory(std::move(file), rounded, identity, used_));
}

}  // namespace virtgpu::device
