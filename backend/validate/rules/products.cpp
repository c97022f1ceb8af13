#include "backend/validate/rules/products.h"

#include <algorithm>
#include <bit>

#include "backend/validate/rules/layouts.h"

namespace virtgpu::validate::rules {

namespace {

using enum Operand;

// Kernels step by up to this many floats without looking at the rest.
constexpr int64_t kVectorStep = 64;

// A matrix of state per head and sequence, and how many tokens change it.
struct Recurrence {
    int64_t size, heads, tokens, sequences;
};

// Kernels divide the tokens by the sequences, and then by that.
bool is_recurrence(const Node& node, const Recurrence& sizes, Operand state) {
    return divides(sizes.sequences, sizes.tokens) &&
           node.elements(state) ==
               product({sizes.size, sizes.size, sizes.heads, sizes.sequences}) &&
           has_shape(node, kResult,
                     {product({sizes.size, sizes.heads}),
                      sizes.tokens + product({sizes.size, sizes.sequences}), 1, 1});
}

bool all_have_shape(const Node& node, std::initializer_list<Operand> operands, int64_t size,
                    int64_t heads, int64_t tokens) {
    return std::all_of(operands.begin(), operands.end(), [&](Operand x) {
        return has_shape(node, x, {size, heads, tokens, 1});
    });
}

}  // namespace

bool is_matrix_product(const Node& node) {
    const Elements& a = node[kA].ne;
    const Elements& b = node[kB].ne;
    return a[0] == b[0] && divides(a[2], b[2]) && divides(a[3], b[3]) &&
           has_shape(node, kResult, {a[1], b[1], b[2], b[3]});
}

bool is_transform_where_said(const Node& node) {
    constexpr int32_t kHadamard = 1;
    if (node.param(1) != kHadamard)
        return node.param(1) == 0;
    const int64_t size = node.ne(kB, 0);
    return size > 0 && std::has_single_bit(static_cast<uint64_t>(size)) && node.ne(kA, 1) == size &&
           node.is(kB, types::kF32 | types::kF16);
}

bool is_product_with_experts(const Node& node) {
    const Elements& experts = node[kA].ne;
    const Elements& b = node[kB].ne;
    const Elements& ids = node[kC].ne;
    return experts[3] == 1 && b[3] == 1 && ids[2] == 1 && ids[3] == 1 && ids[1] == b[2] &&
           experts[0] == b[0] && divides(b[1], ids[0]) &&
           has_shape(node, kResult, {experts[1], ids[0], b[2], 1});
}

// For each expert the kernel has room for all rows.
bool has_sane_lists_of_rows(const Node& node) {
    constexpr int64_t kLargest = int64_t{8} << 30;
    constexpr int64_t kEntry = 8;
    return product({node.ne(kA, 2), node.elements(kC), kEntry}) <= kLargest;
}

bool is_outer_product(const Node& node) {
    const Elements& a = node[kA].ne;
    const Elements& b = node[kB].ne;
    return a[1] == b[1] && divides(a[2], b[2]) && divides(a[3], b[3]) &&
           has_shape(node, kResult, {a[0], b[0], b[2], b[3]});
}

bool solves_triangle(const Node& node) {
    const Elements& a = node[kA].ne;
    const Elements& b = node[kB].ne;
    return a[0] == a[1] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

bool is_attention(const Node& node) {
    const Elements& q = node[kA].ne;
    const Elements& k = node[kB].ne;
    const Elements& v = node[kC].ne;
    return q[0] == k[0] && v[1] == k[1] && divides(k[2], q[2]) && divides(k[3], q[3]) &&
           divides(v[2], q[2]) && divides(v[3], q[3]) &&
           has_shape(node, kResult, {v[0], q[2], q[1], q[3]});
}

bool has_attention_precision(const Node& node) {
    constexpr int32_t kDefault = 0;
    constexpr int32_t kF32 = 10;
    return node.param(3) == kDefault || node.param(3) == kF32;
}

bool has_attention_mask(const Node& node) {
    if (!node.has(kD))
        return !(node.param_as_float(1) > 0.0F);  // ALiBi needs a mask
    const Elements& q = node[kA].ne;
    const Elements& mask = node[kD].ne;
    return mask[0] >= node.ne(kB, 1) && mask[1] >= q[1] && divides(mask[2], q[2]) &&
           divides(mask[3], q[3]);
}

bool has_attention_sinks(const Node& node) {
    return !node.has(kE) || node.ne(kE, 0) >= node.ne(kA, 2);
}

bool is_indexer(const Node& node) {
    const Elements& q = node[kA].ne;
    const Elements& k = node[kB].ne;
    const Elements& mask = node[kD].ne;
    return k[0] == q[0] && k[1] == 1 && k[3] == q[3] &&
           has_shape(node, kC, {q[1], q[2], 1, q[3]}) && mask[0] == k[2] && mask[1] == q[2] &&
           mask[2] == 1 && divides(mask[3], q[3]) &&
           has_shape(node, kResult, {k[2], q[2], 1, q[3]});
}

namespace {

constexpr int32_t kRopeNeox = 2;
constexpr int32_t kRopeMulti = 8;
constexpr int32_t kRopeVision = 24;
constexpr int32_t kRopeInterleaved = 40;

int64_t rope_dimensions(const Node& node) {
    return node.param(1);
}
int32_t rope_mode(const Node& node) {
    return node.param(2);
}
int64_t rope_offset(const Node& node) {
    return node.param(15);
}

}  // namespace

bool has_rope_positions(const Node& node) {
    const int64_t per_token = (rope_mode(node) & kRopeMulti) != 0 ? 4 : 1;
    return has_shape(node, kB, {node.ne(kA, 2) * per_token, 1, 1, 1});
}

// Kernels turn pairs, also of what they only copy. llama.cpp turns no dimension when it asks where
// a model's frequency factors may lie; to compute that, ggml would take forever.
bool has_rope_dimensions(const Node& node) {
    const int64_t size = node.ne(kA, 0);
    const int64_t turned = rope_dimensions(node);
    const int64_t offset = rope_offset(node);
    const int32_t mode = rope_mode(node);
    const bool known = mode == 0 || mode == kRopeNeox || mode == kRopeMulti ||
                       mode == kRopeVision || mode == kRopeInterleaved;
    const int64_t least = node[Operand::kResult].place ? 2 : 0;
    return known && size % 2 == 0 && turned >= least && turned % 2 == 0 && offset >= 0 &&
           offset % 2 == 0 && turned + offset <= size &&
           (mode != kRopeVision || (turned == size / 2 && offset == 0));
}

bool has_rope_sections(const Node& node) {
    if ((rope_mode(node) & kRopeMulti) == 0)
        return true;
    int64_t sum = 0;
    bool one_of_the_first = false;
    for (size_t i = 0; i < 4; ++i) {
        const int64_t section = node.param(11 + i);
        if (section < 0)
            return false;
        sum += section;
        one_of_the_first = one_of_the_first || (i < 3 && section > 0);
    }
    return one_of_the_first && sum <= node.ne(kA, 0);
}

// Kernels read factors for all of a row, also for what is not turned.
bool has_rope_factors(const Node& node) {
    if (!node.has(kC))
        return true;
    const ValidTensor& factors = node[kC];
    const auto read = static_cast<uint64_t>(node.ne(kA, 0) / 2) * node.type_size(kC);
    return node.ne(kC, 0) >= rope_dimensions(node) / 2 && (!factors.place || factors.room >= read);
}

bool is_convolution_of_states(const Node& node) {
    const Elements& x = node[kA].ne;
    const Elements& kernel = node[kB].ne;
    return x[3] == 1 && kernel[2] == 1 && kernel[3] == 1 && x[1] == kernel[1] &&
           has_shape(node, kResult, {x[1], x[0] - kernel[0] + 1, x[2], 1});
}

bool is_scan_of_states(const Node& node) {
    const Elements& s = node[kA].ne;
    const Elements& x = node[kB].ne;
    const Elements& decay = node[kD].ne;
    const Elements& b = node[kE].ne;
    const int64_t snapshots = node.param(0);
    // Kernels step through the sequences of the result by this stride as well.
    const auto state = static_cast<uint64_t>(product({s[0], s[1], s[2]})) * node.type_size(kA);
    return node.nb(kA, 3) == state && s[1] == x[0] && s[2] == x[1] &&
           has_shape(node, kC, {x[1], x[2], x[3], 1}) && (decay[0] == 1 || decay[0] == s[0]) &&
           decay[1] == x[1] && decay[2] == 1 && decay[3] == 1 && b[0] == s[0] &&
           divides(b[1], x[1]) && b[2] == x[2] && b[3] == x[3] && has_shape(node, kF, b) &&
           has_shape(node, kG, {x[3], 1, 1, 1}) &&
           has_shape(node, kResult,
                     {node.elements(kB) + product({snapshots, s[0], s[1], s[2], x[3]}), 1, 1, 1});
}

// llama.cpp asks with sizes of its own whether a model's first factors may lie here: then they have
// no place.
bool is_wkv6(const Node& node) {
    const Elements& k = node[kA].ne;
    return all_have_shape(node, {kA, kB, kC, kE}, k[0], k[1], k[2]) &&
           (!node[kD].place || node.elements(kD) >= product({k[0], k[1]})) &&
           is_recurrence(node, {k[0], k[1], k[2], node.ne(kF, 1)}, kF);
}

bool is_gated_linear_attention(const Node& node) {
    const Elements& k = node[kA].ne;
    return all_have_shape(node, {kA, kB, kC, kD}, k[0], k[1], k[2]) &&
           is_recurrence(node, {k[0], k[1], k[2], node.ne(kE, 1)}, kE);
}

bool is_wkv7(const Node& node) {
    const Elements& k = node[kC].ne;
    return k[0] % kVectorStep == 0 &&
           all_have_shape(node, {kA, kB, kC, kD, kE, kF}, k[0], k[1], k[2]) &&
           is_recurrence(node, {k[0], k[1], k[2], node.ne(kG, 1)}, kG);
}

bool is_gated_delta_net(const Node& node) {
    const Elements& q = node[kA].ne;
    const Elements& k = node[kB].ne;
    const Elements& v = node[kC].ne;
    const int64_t snapshots = node.param(0);
    const auto fits = [&v](const Elements& x) {
        return x[0] == v[0] && divides(x[1], v[1]) && x[2] == v[2] && divides(x[3], v[3]);
    };
    return snapshots >= 1 && fits(q) && fits(k) &&
           (has_shape(node, kD, {1, v[1], v[2], v[3]}) || has_shape(node, kD, v)) &&
           has_shape(node, kE, {1, v[1], v[2], v[3]}) &&
           has_shape(node, kF, {v[0], v[0], v[1], v[3]}) &&
           has_shape(node, kResult,
                     {product({v[0], v[1]}),
                      product({v[2], v[3]}) + product({snapshots, v[0], v[3]}), 1, 1});
}

// DeepSeek V4's hyper-connections: kernels know four streams alone.
bool is_combination_of_streams(const Node& node) {
    constexpr int64_t kStreams = 4;
    constexpr int64_t kMixes = (2 + kStreams) * kStreams;
    return node.ne(kA, 0) == kMixes && node.ne(kC, 0) == kMixes && node.ne(kB, 0) >= 3 &&
           has_shape(node, kResult, {kStreams, kStreams, node.ne(kA, 1), 1});
}

bool is_sum_of_streams(const Node& node) {
    const Elements& x = node[kA].ne;
    const bool gated = node.param(1) != 0;
    return x[3] == 1 && has_shape(node, kB, gated ? x : Elements{x[1], x[2], 1, 1}) &&
           has_shape(node, kResult, {x[0], x[2], 1, 1});
}

bool is_spread_over_streams(const Node& node) {
    const Elements& x = node[kA].ne;
    const Elements& residual = node[kB].ne;
    const int64_t streams = residual[1];
    return has_shape(node, kB, {x[0], streams, x[1], 1}) &&
           has_shape(node, kC, {streams, x[1], 1, 1}) &&
           (!node.has(kD) || has_shape(node, kD, {streams, streams, x[1], 1})) &&
           has_shape(node, kResult, residual);
}

}  // namespace virtgpu::validate::rules
