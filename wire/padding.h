#pragma once

#include <cstddef>

namespace virtgpu::wire {

// Strings and byte arrays are followed by zeroes up to a multiple of four bytes.
constexpr size_t padded(size_t size) {
    return (size + 3) & ~size_t{3};
}

}  // namespace virtgpu::wire
