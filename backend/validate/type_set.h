// Sets of element types, for rules on what an operation takes.
#pragma once

#include <cstdint>
#include <string_view>

namespace virtgpu::validate {

using TypeSet = uint32_t;

namespace types {

constexpr TypeSet kF32 = 1U << 0;
constexpr TypeSet kF16 = 1U << 1;
constexpr TypeSet kBF16 = 1U << 2;
constexpr TypeSet kF64 = 1U << 3;
constexpr TypeSet kI8 = 1U << 4;
constexpr TypeSet kI16 = 1U << 5;
constexpr TypeSet kI32 = 1U << 6;
constexpr TypeSet kI64 = 1U << 7;
// Blocks that backends can compute with and make from floats.
constexpr TypeSet kBlocks = 1U << 8;
// Blocks that only ggml's quantiser makes: there is no function for it, and kernels that look for
// one call null or copy floats over the blocks.
constexpr TypeSet kFixedBlocks = 1U << 9;
// Blocks that ggml uses inside a multiplication alone.
constexpr TypeSet kInnerBlocks = 1U << 10;
constexpr TypeSet kUnknown = 1U << 11;

constexpr TypeSet kHalves = kF16 | kBF16;
constexpr TypeSet kFloats = kF32 | kHalves;
constexpr TypeSet kIntegers = kI8 | kI16 | kI32 | kI64;
constexpr TypeSet kPlain = kFloats | kF64 | kIntegers;
constexpr TypeSet kQuantised = kBlocks | kFixedBlocks;
constexpr TypeSet kWeights = kFloats | kQuantised;
constexpr TypeSet kAny = kPlain | kQuantised | kInnerBlocks | kUnknown;

}  // namespace types

// The set with the type that ggml calls `name`, and maybe others like it.
TypeSet type_set_of(std::string_view name);

}  // namespace virtgpu::validate
