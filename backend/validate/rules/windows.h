// What convolutions, pooling and windows demand of a node.
#pragma once

#include "backend/validate/rules/rule.h"

namespace virtgpu::validate::rules {

bool is_im2col(const Node& node);
bool is_im2col_back(const Node& node);
bool is_im2col_3d(const Node& node);
bool is_col2im(const Node& node);
bool is_convolution_2d(const Node& node);
bool is_convolution_3d(const Node& node);
bool is_convolution_per_channel(const Node& node);
bool is_transposed_convolution_1d(const Node& node);
bool is_transposed_convolution_2d(const Node& node);
bool is_pooled_1d(const Node& node);
bool is_pooled_2d(const Node& node);
bool is_pooled_2d_back(const Node& node);
bool is_parted_into_windows(const Node& node);
bool is_joined_from_windows(const Node& node);
bool is_relative_position(const Node& node);
bool adds_relative_positions(const Node& node);

}  // namespace virtgpu::validate::rules
