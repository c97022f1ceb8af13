#include "backend/validate/rules/elements.h"

#include <algorithm>
#include <cmath>

#include "backend/validate/rules/layouts.h"

namespace virtgpu::validate::rules {

namespace {

using enum Operand;

// Kernels index with float arithmetic, exact to this many elements: (n - 1) / (n / m) < m.
constexpr int64_t kLargestInterpolated = int64_t{1} << 22;

}  // namespace

bool has_float_types_of_a_sum(const Node& node) {
    if (node.is(kA, types::kQuantised))
        return true;  // adds_to_blocks
    const bool same = node[kB].type == node[kA].type && node[kResult].type == node[kA].type;
    const bool widened = node.is(kB, types::kF32) &&
                         (node.is(kResult, types::kF32) || node[kResult].type == node[kA].type);
    return same || widened;
}

// For a result of FixedBlocks the kernel would copy floats over the blocks.
bool adds_to_blocks(const Node& node) {
    if (!node.is(kA, types::kQuantised))
        return !node.is(kResult, types::kQuantised);
    const bool back = node[kResult].type == node[kA].type && node.is(kA, types::kBlocks);
    return (back || node.is(kResult, types::kF32)) && node.is(kB, types::kF32) &&
           has_packed_rows(node, kB) && are_same_shape(node, kA, kB) &&
           ordered(kResult).holds(node, ordered(kResult));
}

bool adds_its_type_or_f32(const Node& node) {
    return node.is(kB, types::kF32) || node[kB].type == node[kA].type;
}

bool is_gated_half(const Node& node) {
    Elements shape = node[kA].ne;
    if (node.has(kB))
        return are_same_shape(node, kB, kA) && has_shape(node, kResult, shape);
    shape[0] /= 2;
    return has_shape(node, kResult, shape);
}

bool is_gated_type(const Node& node) {
    const std::string_view variant = node.glu_op();
    return !node.is(kA, types::kBF16) || (variant != "SWIGLU_OAI" && variant != "SWIGLU_CLAMP");
}

bool is_convertible(const Node& node) {
    if (node[kA].type == node[kResult].type)
        return true;
    if (node.is(kA, types::kQuantised))
        return node.is(kResult, types::kF32) && has_packed_rows(node, kResult) &&
               (node.ne(kResult, 0) % node.block(kA) == 0 || is_contiguous(node, kResult));
    if (node.is(kA, types::kFloats) && node.is(kResult, types::kBlocks))
        // A row is made floats in memory that is as long as a row of the result.
        return node.ne(kA, 0) % node.block(kResult) == 0 && node.ne(kA, 0) <= node.ne(kResult, 0) &&
               has_packed_rows(node, kA) && is_contiguous(node, kResult);
    if (node.is(kA, types::kF32) && node.is(kResult, types::kI32))
        return true;
    if (node.is(kA, types::kI32))
        return node.is(kResult, types::kF32);
    return node.is(kA, types::kFloats) && node.is(kResult, types::kFloats);
}

// ggml copies as many blocks as a row has elements where neither shape nor gaps allow a shortcut.
bool copies_whole_blocks(const Node& node) {
    if (node.block(kA) == 1 || node[kA].type != node[kResult].type)
        return true;
    return are_same_shape(node, kA, kResult) || !is_contiguous(node, kResult) ||
           is_contiguous(node, kA);
}

namespace {

// The second source, with the parameters' strides and offset, in the result: at least this much.
bool lies_in_result(const Node& node, int64_t least) {
    // Kernels go through all rows, also through those without elements.
    const Elements& source = node[kB].ne;
    if (product({source[1], source[2], source[3]}) > node.elements(kResult))
        return false;
    const int64_t offset = node.param(3);
    const auto element = static_cast<int64_t>(node.type_size(kA));
    const int64_t strides[] = {element, node.param(0), node.param(1), node.param(2)};
    int64_t end = node.empty(kB) ? least : element;
    for (size_t i = 0; i < 4; ++i) {
        const int64_t steps = std::max<int64_t>(node.ne(kB, i) - 1, 0);
        if (strides[i] < 0 || __builtin_add_overflow(end, product({steps, strides[i]}), &end))
            return false;
    }
    const auto room = static_cast<int64_t>(std::min(node[kResult].extent, node[kA].extent));
    return offset >= 0 && offset <= room && end <= room - offset;
}

}  // namespace

// ggml asserts it of sources without elements as well.
bool is_set_inside(const Node& node) {
    return lies_in_result(node, 0);
}

// ACC alone asserts that a byte is left even then.
bool is_added_inside(const Node& node) {
    return lies_in_result(node, 1);
}

// The kernel looks at each, also at those that get no channel.
bool has_sane_groups(const Node& node) {
    return node.param(0) >= 1 && node.param(0) <= node.elements(kA);
}

bool is_concatenation(const Node& node) {
    const int64_t dimension = node.param(0);
    for (int64_t i = 0; i < 4; ++i) {
        const auto at = static_cast<size_t>(i);
        const int64_t a = node.ne(kA, at);
        const int64_t b = node.ne(kB, at);
        if (i == dimension ? node.ne(kResult, at) != a + b : a != b || node.ne(kResult, at) != a)
            return false;
    }
    return true;
}

bool has_one_element_per_row(const Node& node) {
    const Elements& ne = node[kA].ne;
    return has_shape(node, kResult, {1, ne[1], ne[2], ne[3]});
}

bool names_rows_of_added(const Node& node) {
    return node.ne(kB, 0) == node.ne(kA, 0) && node.ne(kC, 0) == node.ne(kA, 1) &&
           node.ne(kC, 1) == node.ne(kA, 2);
}

bool holds_named_rows(const Node& node) {
    const Elements& ids = node[kB].ne;
    const bool integers = node.is(kA, types::kI32);
    return node.ne(kA, 2) == ids[1] && node.ne(kA, 3) == ids[2] && ids[3] == 1 &&
           has_shape(node, kResult, {node.ne(kA, 0), ids[0], ids[1], ids[2]}) &&
           node.is(kResult, integers ? types::kI32 : types::kF32);
}

bool holds_gradients_of_rows(const Node& node) {
    return node.ne(kResult, 0) == node.ne(kA, 0) && node.rows(kB) == 1 &&
           node.ne(kA, 1) >= node.ne(kB, 0);
}

bool has_room_for_rows(const Node& node) {
    const Elements& rows = node[kA].ne;
    const Elements& ids = node[kB].ne;
    return node.ne(kResult, 0) == rows[0] && node.ne(kResult, 2) == rows[2] &&
           node.ne(kResult, 3) == rows[3] && ids[0] == rows[1] && ids[3] == 1 &&
           (rows[1] == 0 || (divides(ids[1], rows[2]) && divides(ids[2], rows[3])));
}

bool is_diagonal(const Node& node) {
    const Elements& ne = node[kA].ne;
    return ne[1] == 1 && has_shape(node, kResult, {ne[0], ne[0], ne[2], ne[3]});
}

bool is_masked_softmax(const Node& node) {
    if (!node.has(kB))
        return !(node.param_as_float(1) > 0.0F);  // ALiBi needs a mask
    return node.ne(kB, 0) == node.ne(kA, 0) && node.ne(kB, 1) >= node.ne(kA, 1) &&
           divides(node.ne(kB, 2), node.ne(kA, 2)) && divides(node.ne(kB, 3), node.ne(kA, 3));
}

bool has_a_sink_per_head(const Node& node) {
    return !node.has(kC) || node.ne(kC, 0) >= node.ne(kA, 2);
}

bool is_padded(const Node& node) {
    const bool circular = node.param(8) != 0;
    for (size_t i = 0; i < 4; ++i) {
        const int64_t left = node.param(2 * i);
        const int64_t right = node.param(2 * i + 1);
        // Wrapped around once, not more often.
        if (left < 0 || right < 0 || (circular && left > node.ne(kA, i)) ||
            node.ne(kResult, i) != node.ne(kA, i) + left + right)
            return false;
    }
    return true;
}

bool is_reflected(const Node& node) {
    const Elements& ne = node[kA].ne;
    const int64_t left = node.param(0);
    const int64_t right = node.param(1);
    return left >= 0 && left < ne[0] && right >= 0 && right < ne[0] &&
           has_shape(node, kResult, {ne[0] + left + right, ne[1], ne[2], ne[3]});
}

bool rolls_less_than_once(const Node& node) {
    for (size_t i = 0; i < 4; ++i)
        if (std::abs(int64_t{node.param(i)}) >= node.ne(kA, i))
            return false;
    return true;
}

bool is_interpolated(const Node& node) {
    constexpr int32_t kModes = 3;
    constexpr int32_t kBilinear = 1;
    constexpr int32_t kAlignCorners = 1 << 8;
    constexpr int32_t kAntialias = 1 << 9;
    const int32_t mode = node.param(0) & 0xff;
    const int32_t flags = node.param(0) & ~0xff;
    for (size_t i = 0; i < 4; ++i)
        if (std::max(node.ne(kResult, i), node.ne(kA, i)) > kLargestInterpolated)
            return false;
    return mode < kModes && (flags & ~(kAlignCorners | kAntialias)) == 0 &&
           ((flags & kAntialias) == 0 || mode == kBilinear);
}

bool is_embedding_of_timesteps(const Node& node) {
    return node.param(0) >= 0 && node.param(0) <= node.ne(kResult, 0) &&
           node.ne(kResult, 1) == node.ne(kA, 0);
}

// The same sum in the same float arithmetic as ggml's, which asserts the outcome.
bool is_whole_range(const Node& node) {
    const float steps =
        std::ceil((node.param_as_float(1) - node.param_as_float(0)) / node.param_as_float(2));
    return steps >= 0.0F && steps <= static_cast<float>(INT32_MAX) &&
           static_cast<int64_t>(steps) == node.elements(kResult);
}

bool is_square(const Node& node) {
    return node.ne(kA, 0) == node.ne(kA, 1);
}

bool is_start_of_rows(const Node& node) {
    const Elements& ne = node[kA].ne;
    const int64_t count = node.ne(kResult, 0);
    return count <= ne[0] && has_shape(node, kResult, {count, ne[1], ne[2], ne[3]});
}

bool has_a_position_per_row(const Node& node) {
    return has_shape(node, kResult, {node.ne(kA, 1), 1, 1, 1});
}

}  // namespace virtgpu::validate::rules
