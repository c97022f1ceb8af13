#pragma once

#include <memory>

#include "wire/region.h"

namespace virtgpu::wire {

// A region of `size` zero bytes, really shared: the returned ones are two mappings of one memfd.
std::pair<std::shared_ptr<Region>, std::shared_ptr<Region>> make_shared_region(size_t size);

}  // namespace virtgpu::wire
