// What single operations on elements and rows, and those that move elements, demand of a node. The
// table says in words what each holds.
#pragma once

#include "backend/validate/rules/rule.h"

namespace virtgpu::validate::rules {

bool has_float_types_of_a_sum(const Node& node);
bool adds_to_blocks(const Node& node);
bool adds_its_type_or_f32(const Node& node);
bool is_gated_half(const Node& node);
bool is_gated_type(const Node& node);
bool is_convertible(const Node& node);
bool copies_whole_blocks(const Node& node);
bool is_set_inside(const Node& node);
bool is_added_inside(const Node& node);
bool is_concatenation(const Node& node);
bool has_sane_groups(const Node& node);
bool has_one_element_per_row(const Node& node);
bool names_rows_of_added(const Node& node);
bool holds_named_rows(const Node& node);
bool holds_gradients_of_rows(const Node& node);
bool has_room_for_rows(const Node& node);
bool is_diagonal(const Node& node);
bool is_masked_softmax(const Node& node);
bool has_a_sink_per_head(const Node& node);
bool is_padded(const Node& node);
bool is_reflected(const Node& node);
bool rolls_less_than_once(const Node& node);
bool is_interpolated(const Node& node);
bool is_embedding_of_timesteps(const Node& node);
bool is_whole_range(const Node& node);
bool is_square(const Node& node);
bool is_start_of_rows(const Node& node);
bool has_a_position_per_row(const Node& node);

}  // namespace virtgpu::validate::rules
