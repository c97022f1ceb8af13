#include "device/virtio/guest_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

namespace virtgpu::virtio {

namespace {

// What a mapping of the file can start and end with.
Result<uint64_t> page_of(int file) {
    struct statfs system {};
    if (::fstatfs(file, &system) != 0)
        return wire::system_failure(errno, "looking at guest memory");
    return system.f_type == HUGETLBFS_MAGIC ? static_cast<uint64_t>(system.f_bsize)
                                            : static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

GuestMemory::Mapping::~Mapping() {
    ::munmap(memory_, size_);
}

Result<void> GuestMemory::check_new(const MemoryRange& range) const {
    constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();
    constexpr uint64_t kAlignment = 16;  // of what rings are made of
    if ((range.guest_address | range.file_offset) % kAlignment != 0 || range.size == 0 ||
        range.size > kLast - range.guest_address || range.size > kLast - range.vmm_address ||
        range.size > kLast - range.file_offset)
        return fail(Fault::kPeer, "memory range {:#x}+{:#x} is none", range.guest_address,
                    range.size);
    for (const Mapped& other : ranges_)
        if (range.guest_address < other.range.guest_address + other.range.size &&
            other.range.guest_address < range.guest_address + range.size)
            return fail(Fault::kPeer, "memory range {:#x}+{:#x} overlaps another",
                        range.guest_address, range.size);
    return {};
}

Result<void> GuestMemory::add(const MemoryRange& range, int file) {
    TRY(check_new(range));
    struct stat status {};
    if (::fstat(file, &status) != 0)
        return wire::system_failure(errno, "looking at guest memory");
    // Touching what lies behind a file's end would kill us.
    if (S_ISREG(status.st_mode) &&
        range.file_offset + range.size > static_cast<uint64_t>(status.st_size))
        return fail(Fault::kPeer, "memory range {:#x}+{:#x} lies outside its file",
                    range.guest_address, range.size);
    const uint64_t page = TRY(page_of(file));
    const auto kept =
        std::make_shared<const wire::FileDescriptor>(::fcntl(file, F_DUPFD_CLOEXEC, 0));
    if (!*kept)
        return wire::system_failure(errno, "keeping the file of guest memory");
    const uint64_t start = range.file_offset % page;
    const uint64_t size = range.size + start;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file,
                          static_cast<off_t>(range.file_offset - start));
    if (memory == MAP_FAILED)
        return wire::system_failure(errno, wire::format("mapping guest memory {:#x}+{:#x}",
                                                        range.guest_address, range.size));
    ranges_.insert(ranges_.begin(),
                   {range, std::make_unique<Mapping>(static_cast<std::byte*>(memory), size), start,
                    kept, page});
    return {};
}

Result<void> GuestMemory::add_unusable(const MemoryRange& range) {
    TRY(check_new(range));
    ranges_.push_back({range, nullptr});
    return {};
}

Result<const GuestMemory::Mapped*> GuestMemory::find(uint64_t address, uint64_t size) const {
    for (const Mapped& mapped : ranges_) {
        if (!mapped.mapping || address < mapped.range.guest_address)
            continue;
        const uint64_t offset = address - mapped.range.guest_address;
        if (offset < mapped.range.size && size <= mapped.range.size - offset)
            return &mapped;
    }
    return fail(Fault::kPeer, "guest address {:#x}+{:#x} is no shared memory", address, size);
}

Result<std::byte*> GuestMemory::locate(uint64_t address, uint64_t size) const {
    const Mapped* const mapped = TRY(find(address, size));
    return mapped->mapping->memory() + mapped->start + (address - mapped->range.guest_address);
}

Result<FilePlace> GuestMemory::place_in_file(uint64_t address, uint64_t size) const {
    const Mapped* const mapped = TRY(find(address, size));
    const uint64_t offset = mapped->range.file_offset + (address - mapped->range.guest_address);
    if (size == 0 || (offset | size) % mapped->page != 0)
        return fail(Fault::kPeer, "guest address {:#x}+{:#x} is not made of pages of {} bytes",
                    address, size, mapped->page);
    return FilePlace{mapped->file, offset};
}

Result<void> GuestMemory::copy_out(uint64_t address, std::span<std::byte> to) const {
    if (!to.empty())
        std::memcpy(to.data(), TRY(locate(address, to.size())), to.size());
    return {};
}

Result<void> GuestMemory::copy_in(uint64_t address, std::span<const std::byte> from) {
    if (!from.empty())
        std::memcpy(TRY(locate(address, from.size())), from.data(), from.size());
    return {};
}

Result<void> GuestMemory::check(uint64_t address, uint64_t size) const {
    TRY(locate(address, size));
    return {};
}

Result<uint16_t> GuestMemory::load(uint64_t address, std::memory_order order) const {
    auto* word = reinterpret_cast<uint16_t*>(TRY(locate(address, sizeof(uint16_t))));
    return std::atomic_ref(*word).load(order);
}

Result<void> GuestMemory::store(uint64_t address, uint16_t value, std::memory_order order) {
    auto* word = reinterpret_cast<uint16_t*>(TRY(locate(address, sizeof(uint16_t))));
    std::atomic_ref(*word).store(value, order);
    return {};
}

Result<uint64_t> GuestMemory::from_vmm(uint64_t vmm_address) const {
    for (const Mapped& mapped : ranges_)
        if (mapped.mapping && vmm_address >= mapped.range.vmm_address &&
            vmm_address - mapped.range.vmm_address < mapped.range.size)
            return mapped.range.guest_address + (vmm_address - mapped.range.vmm_address);
    return fail(Fault::kPeer, "VMM address {:#x} is no shared memory", vmm_address);
}

}  // namespace virtgpu::virtio
