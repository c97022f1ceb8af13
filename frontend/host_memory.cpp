#include "frontend/host_memory.h"

#include <mutex>

namespace virtgpu::frontend {

wire::Result<std::byte*> HostMemory::allocate(size_t size) {
    auto region = TRY(transport_.create_region(size));
    std::byte* const base = TRY(region->memory()->bulk(0, size)).data();
    const std::unique_lock lock(mutex_);
    regions_.emplace(base, std::move(region));
    return base;
}

void HostMemory::free(const std::byte* base) {
    std::unique_ptr<SharedRegion> freed;  // outside the lock
    const std::unique_lock lock(mutex_);
    const auto found = regions_.find(base);
    if (found == regions_.end())
        return;
    freed = std::move(found->second);
    regions_.erase(found);
}

std::optional<protocol::RegionSpan> HostMemory::find(std::span<const std::byte> bytes) const {
    const std::shared_lock lock(mutex_);
    auto after = regions_.upper_bound(bytes.data());
    if (after == regions_.begin())
        return std::nullopt;
    const auto& [base, region] = *--after;
    const auto offset = static_cast<size_t>(bytes.data() - base);
    const size_t size = region->memory()->size();
    if (offset > size || bytes.size() > size - offset)
        return std::nullopt;
    return protocol::RegionSpan{region->number(), offset, bytes.size()};
}

}  // namespace virtgpu::frontend
