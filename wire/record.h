// The framing of requests and replies in a ring.
#pragma once

#include <cstddef>
#include <cstdint>

namespace virtgpu::wire {

// Bytes that a record takes in a ring: records start at multiples of eight.
constexpr uint64_t record_space(uint64_t size) {
    return (size + 7) & ~uint64_t{7};
}

}  // namespace virtgpu::wire
