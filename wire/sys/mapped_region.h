// A region that is mapped from a file descriptor.
#pragma once

#include <memory>

#include "wire/region.h"

namespace virtgpu::wire {

// The smallest of the large pages that Linux puts behind regions.
inline constexpr size_t kHugePage = size_t{2} << 20;

// Maps `size` bytes of `file`, readable and writable, from `offset`; the descriptor may be closed
// afterwards. `offset` is what DRM calls the fake offset of a buffer object, 0 for memfds.
Result<std::shared_ptr<Region>> map_region(int file, size_t size, int64_t offset = 0);

}  // namespace virtgpu::wire
