#include "wire/region.h"

#include <cstring>

namespace virtgpu::wire {

Result<void> Region::check(uint64_t offset, uint64_t size) const {
    if (offset > size_ || size > size_ - offset)
        return fail(Fault::kPeer, "bytes {}+{} lie outside a region of {}", offset, size, size_);
    return {};
}

Result<void> Region::copy_out(uint64_t offset, std::span<std::byte> to) const {
    TRY(check(offset, to.size()));
    if (!to.empty())
        std::memcpy(to.data(), base_ + offset, to.size());
    return {};
}

Result<void> Region::copy_in(uint64_t offset, std::span<const std::byte> from) {
    TRY(check(offset, from.size()));
    if (!from.empty())
        std::memcpy(base_ + offset, from.data(), from.size());
    return {};
}

Result<BulkData> Region::bulk(uint64_t offset, uint64_t size) const {
    TRY(check(offset, size));
    return BulkData(base_ + offset, size);
}

}  // namespace virtgpu::wire
