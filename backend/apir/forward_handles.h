// How handles look in upstream's commands, where they are one number and never 0.
#pragma once

#include <cstdint>

#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Generations count from 1.
inline uint64_t word_of(protocol::Handle handle) {
    return (uint64_t{handle.generation} << 32) | handle.index;
}

inline protocol::Handle handle_of(uint64_t word) {
    return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
}

}  // namespace virtgpu::backend
