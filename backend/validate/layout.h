// How much memory a tensor's shape and strides reach.
#pragma once

#include <array>
#include <cstdint>

#include "backend/validate/vocabulary.h"

namespace virtgpu::validate {

using Elements = std::array<int64_t, 4>;
using Strides = std::array<uint64_t, 4>;

// Bytes from a tensor's first byte to the end of its last element; 0 where a dimension has no
// elements. This is the one place that computes it, and it agrees with ggml_nbytes for every layout
// that it lets pass. Fault::kPeer for sizes that no ggml can make, Fault::kRefused for layouts that
// the host does not take.
Result<uint64_t> extent(const TypeTraits& type, const Elements& elements, const Strides& strides);

// ggml issues 26825 and 26912: ggml_nbytes leaves out the stride of a dimension with one element,
// some kernels do not. Such a stride may not be larger than the tensor's buffer, so that products
// with it stay small. That alone keeps no kernel inside: where one steps by it, a rule of the
// operation has to hold (rules/layouts.h).
Result<void> check_unused_strides(const Elements& elements, const Strides& strides,
                                  uint64_t buffer_size);

// What kernels rely on: elements lie at multiples of their own size, blocks at those of the largest
// number in them.
uint64_t alignment_of(const TypeTraits& type);
Result<void> check_alignment(const TypeTraits& type, const Elements& elements,
                             const Strides& strides);

}  // namespace virtgpu::validate
