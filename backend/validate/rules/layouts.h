// Rules on shapes, strides, types and parameters that many operations share.
#pragma once

#include "backend/validate/rules/rule.h"

namespace virtgpu::validate {

// ggml's word for it: each row follows the row before without a gap, likewise each plane; the
// strides of dimensions of one element do not count. With free dimensions, the strides of as many
// after the first one may be anything, and those after them follow from the last of them, also
// where it is of one element.
bool is_contiguous(const Node& node, Operand x, size_t free_dimensions = 0);
// A row's elements follow each other.
bool has_packed_rows(const Node& node, Operand x);
// All that dimensions from this one on count lies inside the tensor when it is found with the
// stride of this one alone, as some kernels do, whatever this one's own elements are.
bool steps_inside(const Node& node, Operand x, size_t dimension);
// Strides make few bytes many elements, for which kernels that copy them need memory of their own.
bool is_spread(const Node& node, Operand x);
bool are_same_shape(const Node& node, Operand x, Operand y);
bool repeats_into(const Node& node, Operand part, Operand whole);

namespace rules {

constexpr Rule same_shape(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) { return are_same_shape(node, rule.x, rule.y); },
            "{0} and {1} differ in shape", x, y};
}
constexpr Rule same_count(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) {
                return node.elements(rule.x) == node.elements(rule.y);
            },
            "{0} and {1} differ in elements", x, y};
}
constexpr Rule same_type(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) || !node.has(rule.y) ||
                       node[rule.x].type == node[rule.y].type;
            },
            "{0} and {1} differ in type", x, y};
}
// For kernels that write halves of whatever they read, and floats of floats alone.
constexpr Rule not_more_precise(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) {
                return node.type_size(rule.x) <= node.type_size(rule.y);
            },
            "{0} is of a larger type than {1}", x, y};
}
// Also when x is not there.
constexpr Rule same_layout(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) ||
                       (node[rule.x].type == node[rule.y].type &&
                        node[rule.x].ne == node[rule.y].ne && node[rule.x].nb == node[rule.y].nb);
            },
            "{0} is not laid out as {1}", x, y};
}
constexpr Rule repeats(Operand part, Operand whole) {
    return {[](const Node& node, const Rule& rule) { return repeats_into(node, rule.x, rule.y); },
            "{0} cannot be repeated into {1}", part, whole};
}
constexpr Rule packed_rows(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) || has_packed_rows(node, rule.x);
            },
            "the rows of {0} have gaps", x};
}
// For kernels that read a row as if it were packed, and also take it transposed.
constexpr Rule rows_not_squeezed(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return node.ne(rule.x, 0) == 1 || node.nb(rule.x, 0) >= node.type_size(rule.x);
            },
            "the elements of {0} overlap", x};
}
// A matrix in one piece, wherever the next one is.
constexpr Rule packed_matrices(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return has_packed_rows(node, rule.x) &&
                       node.nb(rule.x, 1) ==
                           static_cast<uint64_t>(node.ne(rule.x, 0)) * node.type_size(rule.x);
            },
            "the rows of {0} do not follow each other", x};
}
constexpr Rule contiguous(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) || is_contiguous(node, rule.x);
            },
            "{0} is not contiguous", x};
}
// Contiguous, and the first stride is that of an element also where there is one alone, as some
// kernels assert.
constexpr Rule packed(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return has_packed_rows(node, rule.x) && is_contiguous(node, rule.x);
            },
            "{0} is not contiguous", x};
}
// For kernels that count rows through all dimensions with the stride of the second: what ggml calls
// contiguous from there on.
constexpr Rule evenly_spaced_rows(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) ||
                       (has_packed_rows(node, rule.x) && is_contiguous(node, rule.x, 1));
            },
            "the rows of {0} are not evenly spaced", x};
}
// For such kernels where the rows may have gaps between them.
constexpr Rule rows_by_second_stride(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return !node.has(rule.x) || steps_inside(node, rule.x, 1);
            },
            "the rows of {0} are not where their stride leads", x};
}
constexpr Rule matrices_by_third_stride(Operand x) {
    return {[](const Node& node, const Rule& rule) { return steps_inside(node, rule.x, 2); },
            "the matrices of {0} are not where their stride leads", x};
}
// For kernels that copy it into memory of their own, without gaps.
constexpr Rule not_spread(Operand x) {
    return {[](const Node& node, const Rule& rule) { return !is_spread(node, rule.x); },
            "{0} has more elements than its bytes", x};
}
// Matrices with one stride through all further dimensions, which do not overlap, nor do their rows.
constexpr Rule evenly_spaced_matrices(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                const auto rows = static_cast<uint64_t>(node.ne(rule.x, 1));
                return has_packed_rows(node, rule.x) && is_contiguous(node, rule.x, 2) &&
                       node.nb(rule.x, 2) / rows >= node.nb(rule.x, 1) &&
                       node.nb(rule.x, 1) >=
                           static_cast<uint64_t>(node.ne(rule.x, 0)) * node.type_size(rule.x);
            },
            "the matrices of {0} are not evenly spaced", x};
}
// No stride is smaller than the one before: not transposed, not permuted.
constexpr Rule ordered(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return node.nb(rule.x, 0) <= node.nb(rule.x, 1) &&
                       node.nb(rule.x, 1) <= node.nb(rule.x, 2) &&
                       node.nb(rule.x, 2) <= node.nb(rule.x, 3);
            },
            "{0} is permuted", x};
}
constexpr Rule scalar(Operand x) {
    return {[](const Node& node, const Rule& rule) {
                return node[rule.x].ne == Elements{1, 1, 1, 1};
            },
            "{0} is not a single number", x};
}
// Of the dimensions from this one on, all have one element: 1 for a vector, 2 for a matrix.
constexpr Rule flat(Operand x, int64_t dimensions) {
    return {[](const Node& node, const Rule& rule) {
                for (size_t i = static_cast<size_t>(rule.low); i < 4; ++i)
                    if (node.ne(rule.x, i) != 1)
                        return false;
                return true;
            },
            "{0} has too many dimensions",
            x,
            Operand::kResult,
            0,
            dimensions};
}
constexpr Rule length(Operand x, int64_t count) {
    return {[](const Node& node, const Rule& rule) { return node.ne(rule.x, 0) == rule.low; },
            "{0} is too short or too long",
            x,
            Operand::kResult,
            0,
            count};
}
// Memory that the kernel sorts by must not change under its hands.
constexpr Rule apart(Operand x, Operand y) {
    return {[](const Node& node, const Rule& rule) {
                const ValidTensor& one = node[rule.x];
                const ValidTensor& other = node[rule.y];
                return !one.place || !other.place || !(one.place->buffer == other.place->buffer) ||
                       one.place->offset >= other.place->offset + other.extent ||
                       other.place->offset >= one.place->offset + one.extent;
            },
            "{0} and {1} overlap", x, y};
}
constexpr Rule parameter(size_t word, int64_t low, int64_t high) {
    return {[](const Node& node, const Rule& rule) {
                return node.param(rule.word) >= rule.low && node.param(rule.word) <= rule.high;
            },
            "parameter {2} is out of range",
            Operand::kResult,
            Operand::kResult,
            word,
            low,
            high};
}
// A float; not negative and not NaN, as ggml asserts of an epsilon.
constexpr Rule not_negative(size_t word) {
    return {
        [](const Node& node, const Rule& rule) { return node.param_as_float(rule.word) >= 0.0F; },
        "parameter {2} is negative or no number", Operand::kResult, Operand::kResult, word};
}

}  // namespace rules

}  // namespace virtgpu::validate
