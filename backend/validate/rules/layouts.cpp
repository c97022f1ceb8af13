#include "backend/validate/rules/layouts.h"

#include <algorithm>

namespace virtgpu::validate {

bool is_contiguous(const Node& node, Operand x, size_t free_dimensions) {
    uint64_t expected = node.type_size(x);
    if (node.ne(x, 0) != node.block(x) && node.nb(x, 0) != expected)
        return false;
    expected *= static_cast<uint64_t>(node.ne(x, 0) / node.block(x));
    for (size_t i = 1; i < 4; ++i) {
        if (i <= free_dimensions)
            expected = node.nb(x, i);
        else if (node.ne(x, i) != 1 && node.nb(x, i) != expected)
            return false;
        expected *= static_cast<uint64_t>(node.ne(x, i));
    }
    return true;
}

bool steps_inside(const Node& node, Operand x, size_t dimension) {
    const Elements& ne = node[x].ne;
    uint64_t end = node.type_size(x);
    int64_t steps = 1;
    for (size_t i = 0; i < ne.size(); ++i)
        if (i < dimension)
            end += static_cast<uint64_t>(ne[i] / (i == 0 ? node.block(x) : 1) - 1) * node.nb(x, i);
        else
            steps *= ne[i];
    uint64_t way = 0;
    return !__builtin_mul_overflow(static_cast<uint64_t>(steps - 1), node.nb(x, dimension), &way) &&
           way <= node[x].extent && end <= node[x].extent - way;
}

bool is_spread(const Node& node, Operand x) {
    constexpr int64_t kSmall = int64_t{256} << 20;
    const int64_t bytes =
        product({node.elements(x) / node.block(x), static_cast<int64_t>(node.type_size(x))});
    return bytes > std::max(static_cast<int64_t>(node[x].extent), kSmall);
}

bool has_packed_rows(const Node& node, Operand x) {
    return node.nb(x, 0) == node.type_size(x);
}

bool are_same_shape(const Node& node, Operand x, Operand y) {
    return node[x].ne == node[y].ne;
}

bool repeats_into(const Node& node, Operand part, Operand whole) {
    for (size_t i = 0; i < 4; ++i)
        if (!divides(node.ne(part, i), node.ne(whole, i)))
            return false;
    return true;
}

}  // namespace virtgpu::validate
