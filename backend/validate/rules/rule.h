// A rule of the table of operations: something that has to hold for a node.
#pragma once

#include <initializer_list>
#include <string_view>

#include "backend/validate/node.h"

namespace virtgpu::validate {

struct Rule {
    bool (*holds)(const Node&, const Rule&) = nullptr;
    std::string_view text;  // "{0}" and "{1}" stand for x and y
    Operand x = Operand::kResult;
    Operand y = Operand::kResult;
    size_t word = 0;  // of op_params
    int64_t low = 0;
    int64_t high = 0;
};

// One that belongs to a single operation.
template <bool (*kHolds)(const Node&)>
constexpr Rule special(std::string_view text) {
    return {[](const Node& node, const Rule&) { return kHolds(node); }, text};
}

// Whether `whole` is a multiple of `part`; false for none, by which kernels would divide.
constexpr bool divides(int64_t part, int64_t whole) {
    return part > 0 && whole % part == 0;
}

// Of numbers that are not negative; the largest number when it does not fit.
constexpr int64_t product(std::initializer_list<int64_t> factors) {
    int64_t product = 1;
    for (const int64_t factor : factors)
        if (__builtin_mul_overflow(product, factor, &product))
            return INT64_MAX;
    return product;
}

// A result or source of this shape.
inline bool has_shape(const Node& node, Operand x, const Elements& shape) {
    return node[x].ne == shape;
}

}  // namespace virtgpu::validate
