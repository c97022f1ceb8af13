// What matrix products, attention, rotary positions and recurrences demand of a node.
#pragma once

#include "backend/validate/rules/rule.h"

namespace virtgpu::validate::rules {

bool is_matrix_product(const Node& node);
// ggml may be told that A is a Hadamard matrix, and then transforms the rows of B instead: as many
// numbers, a power of two, as A is large. Natively rows of F16 are multiplied with all the same.
bool is_transform_where_said(const Node& node);
bool is_product_with_experts(const Node& node);
bool has_sane_lists_of_rows(const Node& node);
bool is_outer_product(const Node& node);
bool solves_triangle(const Node& node);
bool is_attention(const Node& node);
bool has_attention_precision(const Node& node);
bool has_attention_mask(const Node& node);
bool has_attention_sinks(const Node& node);
bool is_indexer(const Node& node);
bool has_rope_positions(const Node& node);
bool has_rope_dimensions(const Node& node);
bool has_rope_sections(const Node& node);
bool has_rope_factors(const Node& node);
bool is_convolution_of_states(const Node& node);
bool is_scan_of_states(const Node& node);
bool is_wkv6(const Node& node);
bool is_gated_linear_attention(const Node& node);
bool is_wkv7(const Node& node);
bool is_gated_delta_net(const Node& node);
bool is_combination_of_streams(const Node& node);
bool is_sum_of_streams(const Node& node);
bool is_spread_over_streams(const Node& node);

}  // namespace virtgpu::validate::rules
