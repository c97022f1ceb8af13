#include "backend/validate/layout.h"

#include <algorithm>

namespace virtgpu::validate {

namespace {

// ggml computes sizes in int64_t and size_t; staying below this keeps each of its sums exact.
constexpr uint64_t kLargestSize = uint64_t{1} << 62;

Result<uint64_t> add(uint64_t a, uint64_t b) {
    uint64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum) || sum > kLargestSize)
        return wire::fail(Fault::kPeer, "a tensor's size overflows: {} + {}", a, b);
    return sum;
}

Result<uint64_t> multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product) || product > kLargestSize)
        return wire::fail(Fault::kPeer, "a tensor's size overflows: {} * {}", a, b);
    return product;
}

// Also bounds what ggml computes of the shape alone: elements, rows, bytes without strides.
Result<bool> has_elements(const TypeTraits& type, const Elements& elements) {
    uint64_t bytes = type.type_size;
    bool empty = false;
    for (const int64_t count : elements) {
        if (count < 0)
            return wire::fail(Fault::kPeer, "a dimension of {} elements", count);
        empty = empty || count == 0;
        bytes = TRY(multiply(bytes, count == 0 ? 1 : static_cast<uint64_t>(count)));
    }
    return !empty;
}

}  // namespace

Result<uint64_t> extent(const TypeTraits& type, const Elements& elements, const Strides& strides) {
    const bool filled = TRY(has_elements(type, elements));
    // ggml issue 25288: ggml_row_size asserts this.
    if (elements[0] % type.block_size != 0)
        return wire::fail(Fault::kRefused, "{} elements of {} are no whole blocks of {}",
                          elements[0], type.name, type.block_size);
    if (type.block_size > 1 && strides[0] != type.type_size)
        return wire::fail(Fault::kRefused, "blocks of {} are {} bytes apart, not {}", type.name,
                          strides[0], type.type_size);
    // ggml issue 9799: (0 - 1) * stride.
    if (!filled)
        return 0;

    const uint64_t first_dimension_steps = static_cast<uint64_t>(elements[0]) / type.block_size - 1;
    uint64_t size = TRY(add(type.type_size, TRY(multiply(first_dimension_steps, strides[0]))));
    for (size_t i = 1; i < elements.size(); ++i)
        size = TRY(add(size, TRY(multiply(static_cast<uint64_t>(elements[i]) - 1, strides[i]))));
    return size;
}

Result<void> check_unused_strides(const Elements& elements, const Strides& strides,
                                  uint64_t buffer_size) {
    for (size_t i = 0; i < elements.size(); ++i)
        if (elements[i] == 1 && strides[i] > buffer_size)
            return wire::fail(Fault::kRefused, "dimension {} strides {} bytes in a buffer of {}", i,
                              strides[i], buffer_size);
    return {};
}

uint64_t alignment_of(const TypeTraits& type) {
    constexpr uint64_t kLargest = 8;
    const uint64_t power = type.type_size & (~uint64_t{type.type_size} + 1);
    return std::min(power, type.block_size == 1 ? kLargest : kLargest / 4);
}

Result<void> check_alignment(const TypeTraits& type, const Elements& elements,
                             const Strides& strides) {
    for (size_t i = 0; i < elements.size(); ++i)
        if (elements[i] > 1 && strides[i] % alignment_of(type) != 0)
            return wire::fail(Fault::kRefused, "a stride of {} bytes for {}", strides[i],
                              type.name);
    return {};
}

}  // namespace virtgpu::validate
