#pragma once

#include <cstdint>

namespace virtgpu::wire {

// Contexts of the Venus capset count level 1 command types from here, behind Venus' own commands.
inline constexpr int32_t kFirstTypeOnVenus = 331;

}  // namespace virtgpu::wire
