#include "wire/sys/mapped_region.h"

#include <sys/mman.h>

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

}  // namespace

Result<std::shared_ptr<Region>> map_region(int file, size_t size, int64_t offset) {
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset);
    if (memory == MAP_FAILED)
        return system_failure(errno, wire::format("mapping a region of {} bytes", size));
    return std::make_shared<MappedRegion>(static_cast<std::byte*>(memory), size);
}

}  // namespace virtgpu::wire
