#include "wire/sys/sealed_copy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace virtgpu::wire {

Result<FileDescriptor> sealed_copy(std::span<const std::byte> bytes) {
    FileDescriptor file(::memfd_create("ggml-virtgpu-copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file)
        return system_failure(errno, "creating a memfd");
    while (!bytes.empty()) {
        const ssize_t written = ::write(file.number(), bytes.data(), bytes.size());
        if (written <= 0)
            return system_failure(errno, "writing a memfd");
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    if (::fcntl(file.number(), F_ADD_SEALS,
                F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return system_failure(errno, "sealing a memfd");
    return file;
}

Result<std::vector<std::byte>> read_sealed_copy(const FileDescriptor& file, size_t limit) {
    struct stat status {};
    if (::fstat(file.number(), &status) != 0)
        return system_failure(errno, "looking at a file");
    if (status.st_size < 0 || static_cast<size_t>(status.st_size) > limit)
        return fail(Fault::kSystem, "a file of {} bytes where at most {} are expected",
                    status.st_size, limit);
    std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
    const ssize_t size = ::pread(file.number(), bytes.data(), bytes.size(), 0);
    if (size != static_cast<ssize_t>(bytes.size()))
        return system_failure(errno, "reading a file");
    return bytes;
}

}  // namespace virtgpu::wire
