#include "device/sealed_memory.h"

#include "device/huge_pages.h"
#include "device/page_supply.h"

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

Result<std::shared_ptr<const SealedFile>> SealedFile::create(uint64_t size) {
    wire::FileDescriptor file(
        ::memfd_create("ggml-virtgpu-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file)
        return wire::system_failure(errno, "creating a memfd");
    if (::ftruncate(file.number(), static_cast<off_t>(size)) != 0)
        return wire::system_failure(errno, wire::format("a memfd of {} bytes", size));
    if (::fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return wire::system_failure(errno, "sealing a memfd");
    const auto identity = TRY(FileIdentity::of(file.number()));
    return std::shared_ptr<const SealedFile>(new SealedFile(std::move(file), size, identity));
}

Result<void> SealedFile::allocate(uint64_t offset, uint64_t size) const {
    put_huge_pages_behind(number(), offset, size);
    if (::fallocate(number(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0)
        return {};
    const int reason = errno;
    discard(offset, size);
    return fail(Fault::kRefused, "the host has no memory for a region of {} bytes: {}", size,
                std::strerror(reason));
}

void SealedFile::discard(uint64_t offset, uint64_t size) const {
    ::fallocate(number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(size));
}

uint64_t whole_pages(uint64_t size) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return (size + page - 1) / page * page;
}

Result<SharedMemory> SealedMemoryAllocator::claim(uint64_t size) {
    if (size == 0 || size > limit_)
        return fail(Fault::kRefused, "a region of {} bytes where at most {} are allowed", size,
                    limit_);
    const uint64_t rounded = whole_pages(size);
    if (rounded > limit_ - *used_)
        return fail(Fault::kRefused, "a region of {} bytes; {} of {} are in use", rounded, *used_,
                    limit_);
    auto file = TRY(SealedFile::create(rounded));
    *used_ += rounded;
    // A client may keep its descriptor, and the pages with it. What it touches from now on is
    // accounted to it, as with any file of its own.
    return std::make_shared<const SealedMemory>(file, 0, rounded,
                                                [file, used = used_, pages = pages_, rounded] {
                                                    *used -= rounded;
                                                    pages->take_back(file, 0, rounded, [] {});
                                                });
}

}  // namespace virtgpu::device
