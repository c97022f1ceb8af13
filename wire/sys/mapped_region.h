// A region that is mapped from a file descriptor.
#pragma once

#include <memory>
#include <span>

#include "wire/region.h"

namespace virtgpu::wire {

// The smallest of the large pages that Linux puts behind regions.
inline constexpr size_t kHugePage = size_t{2} << 20;

// Maps `size` bytes of `file`, readable and writable, from `offset`; the descriptor may be closed
// afterwards. `offset` is what DRM calls the fake offset of a buffer object, 0 for memfds.
Result<std::shared_ptr<Region>> map_region(int file, size_t size, int64_t offset = 0);

// A piece of a file; offset and size are whole pages of it.
struct MappedPiece {
    int file = -1;
    uint64_t offset = 0;
    uint64_t size = 0;  // bytes
};

// Maps pieces side by side, as one region. Each costs one of the mappings that the system allows a
// process (vm.max_map_count).
Result<std::shared_ptr<Region>> map_pieces(std::span<const MappedPiece> pieces);

}  // namespace virtgpu::wire
