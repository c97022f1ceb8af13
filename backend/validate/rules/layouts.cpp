#include "backend/validate/rules/layouts.h"

namespace virtgpu::validate {

bool is_contiguous(const Node& node, Operand x, size_t free_dimensions) {
    uint64_t expected = node.type_size(x);
    if (node.ne(x, 0) != node.block(x) && node.nb(x, 0) != expected)
        return false;
    expected *= static_cast<uint64_t>(node.ne(x, 0) / node.block(x));
    for (size_t i = 1; i < 4; ++i) {
        if (node.ne(x, i) == 1)
            continue;
        if (i <= free_dimensions)
            expected = node.nb(x, i);
        else if (node.nb(x, i) != expected)
            return false;
        expected *= static_cast<uint64_t>(node.ne(x, i));
    }
    return true;
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
