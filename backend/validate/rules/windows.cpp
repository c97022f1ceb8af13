#include "backend/validate/rules/windows.h"

#include <algorithm>

#include "backend/validate/rules/layouts.h"

namespace virtgpu::validate::rules {

namespace {

using enum Operand;

// Larger windows, steps and margins are nobody's, and products of them would overflow in kernels.
constexpr int64_t kLargestStep = int64_t{1} << 15;

// Kernels gather a batch of windows in this much memory and assert that one fits.
constexpr int64_t kWorkBytes = int64_t{16} << 20;

// How a window moves over one dimension.
struct Steps {
    int64_t step, margin, dilation;
};

bool are_sane(const Steps& steps) {
    return steps.step >= 1 && steps.step <= kLargestStep && steps.margin >= 0 &&
           steps.margin <= kLargestStep && steps.dilation >= 1 && steps.dilation <= kLargestStep;
}

// How many places a window of this size has. As in ggml, one that is a little too large has one.
int64_t places(int64_t size, int64_t window, const Steps& steps) {
    return (size + 2 * steps.margin - steps.dilation * (window - 1) - 1) / steps.step + 1;
}

// The same for pooling, which rounds down.
int64_t pooled_places(int64_t size, int64_t window, const Steps& steps) {
    const int64_t slack = size + 2 * steps.margin - window;
    return slack < 0 ? 0 : slack / steps.step + 1;
}

bool moves_over(const Node& node, size_t dimension, const Steps& steps, int64_t count) {
    return are_sane(steps) &&
           places(node.ne(kB, dimension), node.ne(kA, dimension), steps) == count;
}

// The words of op_params: steps, margins and dilations, of as many dimensions each.
Steps steps_of(const Node& node, size_t dimension, size_t dimensions) {
    return {node.param(dimension), node.param(dimensions + dimension),
            node.param(2 * dimensions + dimension)};
}

// An image is read as one piece per channel, found with strides that kernels keep in an int.
bool has_whole_channels(const Node& node, Operand image, size_t channels) {
    uint64_t expected = node.type_size(image);
    for (size_t i = 0; i < channels; ++i) {
        if (node.nb(image, i) != expected && (i == 0 || node.ne(image, i) != 1))
            return false;
        expected *= static_cast<uint64_t>(node.ne(image, i));
    }
    return std::all_of(node[image].nb.begin() + static_cast<int>(channels), node[image].nb.end(),
                       [](uint64_t stride) { return stride <= INT32_MAX; });
}

// Dense in whatever order: an index below the number of elements stays inside.
bool is_dense(const Node& node, Operand x) {
    return node[x].extent == static_cast<uint64_t>(node.elements(x)) * node.type_size(x);
}

// Channels follow each other first: the order WHCN as images come out of decoders.
bool has_channels_first(const Node& node, Operand x, size_t channels) {
    return node.nb(x, channels) == node.type_size(x) && node.nb(x, 0) > node.nb(x, channels) &&
           node.nb(x, 1) > node.nb(x, 0);
}

// Kernels keep the number of all its elements in an int.
bool is_countable(const Elements& kernel) {
    return product({kernel[0], kernel[1], kernel[2], kernel[3]}) <= INT32_MAX;
}

bool fits_work_memory(const Node& node, int64_t elements, int64_t channels) {
    const int64_t bytes = product({elements, static_cast<int64_t>(node.type_size(kA))});
    return bytes <= kWorkBytes && channels <= kWorkBytes / 4 && bytes + 4 * channels <= kWorkBytes;
}

}  // namespace

bool is_im2col(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const Elements& image = node[kB].ne;
    const int64_t columns = node.ne(kResult, 1);
    const Steps across{node.param(0), node.param(2), node.param(4)};
    const Steps down{node.param(1), node.param(3), node.param(5)};
    if (node.param(6) != 1)
        return moves_over(node, 0, across, columns) && image[1] == kernel[1] && image[3] == 1 &&
               has_whole_channels(node, kB, 1) &&
               has_shape(node, kResult, {product({kernel[1], kernel[0]}), columns, image[2], 1});
    const int64_t lines = node.ne(kResult, 2);
    return moves_over(node, 0, across, columns) && moves_over(node, 1, down, lines) &&
           image[2] == kernel[2] && has_whole_channels(node, kB, 2) &&
           has_shape(node, kResult,
                     {product({kernel[2], kernel[1], kernel[0]}), columns, lines, image[3]});
}

// The first source has the shape of im2col's result, the result that of its image.
bool is_im2col_back(const Node& node) {
    const Elements& gradient = node[kA].ne;
    const Elements& kernel = node[kB].ne;
    const Elements& image = node[kResult].ne;
    const Steps across{node.param(0), node.param(2), node.param(4)};
    const Steps down{node.param(1), node.param(3), node.param(5)};
    if (!are_sane(across) || places(image[0], kernel[0], across) != gradient[1])
        return false;
    if (node.param(6) != 1)
        return image[3] == 1 &&
               gradient == Elements{product({image[1], kernel[0]}), gradient[1], image[2], 1};
    return are_sane(down) && places(image[1], kernel[1], down) == gradient[2] &&
           gradient == Elements{product({image[2], kernel[1], kernel[0]}), gradient[1], gradient[2],
                                image[3]};
}

bool is_im2col_3d(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const int64_t channels = node.param(9);
    if (!divides(channels, node.ne(kB, 3)))
        return false;
    const int64_t images = node.ne(kB, 3) / channels;
    const int64_t deep = divides(images, node.ne(kResult, 3)) ? node.ne(kResult, 3) / images : 0;
    return deep > 0 && moves_over(node, 0, steps_of(node, 0, 3), node.ne(kResult, 1)) &&
           moves_over(node, 1, steps_of(node, 1, 3), node.ne(kResult, 2)) &&
           moves_over(node, 2, steps_of(node, 2, 3), deep) &&
           node.ne(kResult, 0) == product({kernel[0], kernel[1], kernel[2], channels});
}

bool is_col2im(const Node& node) {
    const int64_t step = node.param(0);
    const int64_t channels = node.param(1);
    const int64_t crop = node.param(2);
    if (!are_sane({step, crop, 1}) || !divides(channels, node.ne(kA, 0)))
        return false;
    const int64_t window = node.ne(kA, 0) / channels;
    return has_shape(node, kResult,
                     {(node.ne(kA, 1) - 1) * step + window - 2 * crop, channels, 1, 1});
}

bool is_convolution_2d(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const Elements& image = node[kB].ne;
    return image[2] == kernel[2] && node.ne(kResult, 2) == kernel[3] &&
           node.ne(kResult, 3) == image[3] &&
           moves_over(node, 0, steps_of(node, 0, 2), node.ne(kResult, 0)) &&
           moves_over(node, 1, steps_of(node, 1, 2), node.ne(kResult, 1)) &&
           fits_work_memory(node, product({kernel[0], kernel[1], kernel[2]}), kernel[3]);
}

bool is_convolution_3d(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const int64_t in = node.param(9);
    const int64_t images = node.param(10);
    const int64_t out = node.param(11);
    return in > 0 && images > 0 && out > 0 && kernel[3] == in * out &&
           node.ne(kB, 3) == in * images && node.ne(kResult, 3) == out * images &&
           moves_over(node, 0, steps_of(node, 0, 3), node.ne(kResult, 0)) &&
           moves_over(node, 1, steps_of(node, 1, 3), node.ne(kResult, 1)) &&
           moves_over(node, 2, steps_of(node, 2, 3), node.ne(kResult, 2)) &&
           fits_work_memory(node, product({kernel[0], kernel[1], kernel[2], in}), out);
}

bool is_convolution_per_channel(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const Elements& image = node[kB].ne;
    const bool shapes = kernel[2] == 1 && kernel[3] == image[2] &&
                        node.ne(kResult, 2) == image[2] && node.ne(kResult, 3) == image[3] &&
                        moves_over(node, 0, steps_of(node, 0, 2), node.ne(kResult, 0)) &&
                        moves_over(node, 1, steps_of(node, 1, 2), node.ne(kResult, 1));
    // Kernels read all three as one piece.
    if (!shapes || !is_dense(node, kA) || !is_dense(node, kB) || !is_dense(node, kResult))
        return false;
    return is_contiguous(node, kB) ||
           (has_channels_first(node, kB, 2) && node.nb(kA, 0) >= node.nb(kA, 2) &&
            node.nb(kA, 1) >= node.nb(kA, 0));
}

bool is_transposed_convolution_1d(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const Elements& signal = node[kB].ne;
    const int64_t step = node.param(0);
    return are_sane({step, 0, 1}) && is_countable(kernel) && kernel[2] == signal[1] &&
           kernel[3] == 1 && signal[2] == 1 && signal[3] == 1 &&
           has_shape(node, kResult, {(signal[0] - 1) * step + kernel[0], kernel[1], 1, 1});
}

bool is_transposed_convolution_2d(const Node& node) {
    const Elements& kernel = node[kA].ne;
    const Elements& image = node[kB].ne;
    const int64_t step = node.param(0);
    return are_sane({step, 0, 1}) && is_countable(kernel) && kernel[3] == image[2] &&
           has_shape(node, kResult,
                     {(image[0] - 1) * step + kernel[0], (image[1] - 1) * step + kernel[1],
                      kernel[2], image[3]});
}

bool is_pooled_1d(const Node& node) {
    const Elements& ne = node[kA].ne;
    const Steps steps{node.param(2), node.param(3), 1};
    return are_sane(steps) && node.param(1) >= 1 && node.param(1) <= kLargestStep &&
           has_shape(node, kResult,
                     {pooled_places(ne[0], node.param(1), steps), ne[1], ne[2], ne[3]});
}

// The margins are floats cut off to integers: the result may have a place more than they say.
bool is_pooled_2d(const Node& node) {
    const Elements& ne = node[kA].ne;
    for (size_t i = 0; i < 2; ++i) {
        const int64_t window = node.param(1 + i);
        const Steps steps{node.param(3 + i), node.param(5 + i), 1};
        if (!are_sane(steps) || window < 1 || window > kLargestStep)
            return false;
        const Steps wider{steps.step, steps.margin + 1, 1};
        if (node.ne(kResult, i) < pooled_places(ne[i], window, steps) ||
            node.ne(kResult, i) > pooled_places(ne[i], window, wider))
            return false;
    }
    return node.ne(kResult, 2) == ne[2] && node.ne(kResult, 3) == ne[3];
}

bool is_pooled_2d_back(const Node& node) {
    for (size_t i = 0; i < 2; ++i)
        if (!are_sane({node.param(3 + i), node.param(5 + i), 1}) || node.param(1 + i) < 1 ||
            node.param(1 + i) > kLargestStep)
            return false;
    return are_same_shape(node, kB, kResult) && node.ne(kA, 2) == node.ne(kResult, 2) &&
           node.ne(kA, 3) == node.ne(kResult, 3);
}

namespace {

int64_t windows(int64_t size, int64_t window) {
    return (size + window - 1) / window;
}

}  // namespace

bool is_parted_into_windows(const Node& node) {
    const Elements& ne = node[kA].ne;
    const int64_t across = node.param(0);
    const int64_t down = node.param(1);
    const int64_t window = node.param(2);
    return window > 0 && ne[3] == 1 && across == windows(ne[1], window) &&
           down == windows(ne[2], window) &&
           has_shape(node, kResult, {ne[0], window, window, product({across, down})});
}

bool is_joined_from_windows(const Node& node) {
    const Elements& ne = node[kResult].ne;
    const int64_t window = node.param(0);
    return window > 0 && ne[3] == 1 &&
           has_shape(
               node, kA,
               {ne[0], window, window, product({windows(ne[1], window), windows(ne[2], window)})});
}

bool is_relative_position(const Node& node) {
    const Elements& ne = node[kA].ne;
    const int64_t size = node.ne(kResult, 1);
    return ne[1] == 2 * size - 1 && ne[2] == 1 && ne[3] == 1 &&
           has_shape(node, kResult, {ne[0], size, size, 1});
}

bool adds_relative_positions(const Node& node) {
    const Elements& across = node[kB].ne;
    return are_same_shape(node, kC, kB) &&
           has_shape(
               node, kA,
               {product({across[0], across[0]}), product({across[1], across[2]}), across[3], 1});
}

}  // namespace virtgpu::validate::rules
