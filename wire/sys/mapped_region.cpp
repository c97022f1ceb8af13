#include "wire/sys/mapped_region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace virtgpu::wire {

namespace {

class MappedRegion : public Region {
 public:
    MappedRegion(std::byte* base, size_t size) : Region(base, size) {}
    ~MappedRegion() override { ::munmap(base(), size()); }
    MappedRegion(const MappedRegion&) = delete;
    MappedRegion& operator=(const MappedRegion&) = delete;
};

// The file's huge pages can be mapped as such only where address and offset end alike, which mmap
// does not see to by itself.
void* map_like_the_offset(int file, size_t size, int64_t offset) {
    const size_t reserved = size + 2 * kHugePage;
    void* const reservation =
        ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation == MAP_FAILED)
        return MAP_FAILED;
    auto* const begin = static_cast<std::byte*>(reservation);
    const size_t behind = reinterpret_cast<uintptr_t>(begin) % kHugePage;
    std::byte* const place = begin + kHugePage - behind + static_cast<size_t>(offset) % kHugePage;
    void* const memory =
        ::mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, offset);
    if (memory == MAP_FAILED) {
        ::munmap(begin, reserved);
        return MAP_FAILED;
    }
    const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    std::byte* const end = place + (size + page - 1) / page * page;
    ::munmap(begin, static_cast<size_t>(place - begin));
    ::munmap(end, static_cast<size_t>(begin + reserved - end));
    return memory;
}

}  // namespace

Result<std::shared_ptr<Region>> map_pieces(std::span<const MappedPiece> pieces) {
    size_t size = 0;
    for (const MappedPiece& piece : pieces)
        size += piece.size;
    void* const reservation =
        ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation == MAP_FAILED)
        return system_failure(errno, wire::format("reserving {} bytes for a region", size));
    // Owns the addresses from here on.
    auto region = std::make_shared<MappedRegion>(static_cast<std::byte*>(reservation), size);
    auto* place = static_cast<std::byte*>(reservation);
    for (const MappedPiece& piece : pieces) {
        void* const memory =
            ::mmap(place, piece.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, piece.file,
                   static_cast<off_t>(piece.offset));
        if (memory == MAP_FAILED)
            return system_failure(errno,
                                  wire::format("mapping a region in {} pieces; vm.max_map_count "
                                               "limits them",
                                               pieces.size()));
        place += piece.size;
    }
    return region;
}

Result<std::shared_ptr<Region>> map_region(int file, size_t size, int64_t offset) {
    void* const memory =
        size >= kHugePage ? map_like_the_offset(file, size, offset)
                          : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset);
    if (memory == MAP_FAILED)
        return system_failure(errno, wire::format("mapping a region of {} bytes", size));
    return std::make_shared<MappedRegion>(static_cast<std::byte*>(memory), size);
}

}  // namespace virtgpu::wire
