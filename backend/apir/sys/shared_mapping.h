// Shared memory of which somebody else tells the address alone.
#pragma once

#include <cstdint>
#include <memory>

#include "wire/region.h"

namespace virtgpu::backend {

// One mapping of the process. Two of the same file and place are the same memory.
struct SharedMapping {
    std::byte* begin = nullptr;
    size_t size = 0;
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t offset = 0;

    bool operator==(const SharedMapping&) const = default;
};

// The shared mapping that starts at `address`, as the system knows it, because nobody else says how
// long it is. Fault::kRefused where none starts there, or the system cannot tell.
wire::Result<SharedMapping> find_shared_mapping(const void* address);

// The same memory a second time: it stays when its owner unmaps the first.
wire::Result<std::shared_ptr<wire::Region>> map_again(const SharedMapping& mapping);

}  // namespace virtgpu::backend
