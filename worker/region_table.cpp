#include "worker/region_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "wire/sys/mapped_region.h"

namespace virtgpu::worker {

namespace {

wire::Result<void> check_file(int file, uint64_t size) {
    struct stat status {};
    if (::fstat(file, &status) != 0)
        return wire::system_failure(errno, "looking at a region's file");
    if (size == 0 || status.st_size < 0 || static_cast<uint64_t>(status.st_size) < size)
        return wire::fail(wire::Fault::kSystem, "a region of {} bytes in a file of {}", size,
                          status.st_size);
    const int seals = ::fcntl(file, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return wire::fail(wire::Fault::kSystem, "a region's file is not sealed against shrinking");
    return {};
}

}  // namespace

wire::Result<void> RegionTable::add(uint32_t number, const wire::FileDescriptor& file,
                                    uint64_t size) {
    TRY(check_file(file.number(), size));
    auto region = TRY(wire::map_region(file.number(), size));
    const std::lock_guard lock(mutex_);
    if (!regions_.emplace(number, std::move(region)).second)
        return wire::fail(wire::Fault::kSystem, "region {} exists", number);
    return {};
}

void RegionTable::remove(uint32_t number) {
    std::shared_ptr<wire::Region> removed;  // unmapped outside the lock
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find(number);
    if (found == regions_.end())
        return;
    removed = std::move(found->second);
    regions_.erase(found);
}

wire::Result<std::shared_ptr<wire::Region>> RegionTable::find(uint32_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find(number);
    if (found == regions_.end())
        return wire::fail(wire::Fault::kPeer, "there is no region {}", number);
    return found->second;
}

}  // namespace virtgpu::worker
