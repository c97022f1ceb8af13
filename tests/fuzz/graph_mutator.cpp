#include "tests/fuzz/graph_mutator.h"

#include <algorithm>
#include <bit>

#include "tests/fuzz/vocabulary.h"

namespace virtgpu::fuzz {

namespace {

constexpr int64_t kSizes[] = {0,  1,  2,  3,  4,  5,   7,   8,   9,   16,        24,
                              31, 32, 33, 63, 64, 127, 128, 255, 256, INT32_MAX, int64_t{1} << 40};
constexpr int32_t kParameters[] = {
    0,   1,   2,         3,         4,          5,          7,
    8,   16,  24,        32,        40,         64,         -1,
    255, 256, INT32_MAX, INT32_MIN, 0x3f800000, 0x7fc00000, static_cast<int32_t>(0xbf800000)};

constexpr uint64_t kFrequentTypes[] = {0, 0, 0, 0, 1, 1, 30, 26, 26, 27, 8};

const validate::TypeTraits* traits_of(uint32_t type) {
    return type < ggml_types().size() && ggml_types()[type].block_size != 0 ? &ggml_types()[type]
                                                                            : nullptr;
}

}  // namespace

void settle(GraphInput& input, protocol::Tensor& tensor) {
    const validate::TypeTraits* const traits = traits_of(tensor.type);
    if (traits == nullptr)
        return;
    uint64_t stride = traits->type_size;
    for (size_t i = 0; i < 4; ++i) {
        tensor.nb[i] = stride;
        const auto count = static_cast<uint64_t>(tensor.ne[i]);
        stride *= i == 0 ? count / traits->block_size : count;
    }
    if (tensor.buffer.index < kBuffers && stride <= kLargestBuffer && tensor.data_offset == 0)
        input.sizes[tensor.buffer.index] = static_cast<uint32_t>(stride);
}

void set_unused_stride(GraphInput& input, protocol::Tensor& tensor, size_t dimension,
                       uint64_t stride) {
    tensor.nb[dimension] = stride;
    if (tensor.buffer.index < kBuffers && stride <= kLargestBuffer) {
        uint32_t& size = input.sizes[tensor.buffer.index];
        size = std::max(size, static_cast<uint32_t>(stride));
    }
}

void GraphMutator::mutate(GraphInput& input) {
    if (input.graph.tensors.empty())
        input.graph.tensors.resize(1 + below(3));
    for (uint32_t i = 0; i <= below(4); ++i) {
        if (below(8) == 0)
            mutate_graph(input);
        else if (below(8) == 0)
            mutate_dimension(input);
        else
            mutate_tensor(input, below(2) == 0 ? input.graph.tensors.size() - 1
                                               : below(input.graph.tensors.size()));
    }
}

void GraphMutator::mutate_tensor(GraphInput& input, size_t position) {
    protocol::GraphTensor& entry = input.graph.tensors[position];
    protocol::Tensor& tensor = entry.tensor;
    switch (below(11)) {
        case 0:
            tensor.type = static_cast<uint32_t>(
                below(3) == 0 ? below(ggml_types().size())
                              : kFrequentTypes[below(std::size(kFrequentTypes))]);
            break;
        case 1:
            tensor.op = below(validate::op_table().size());
            break;
        case 2:
        case 3:
        case 4:
            mutate_shape(tensor);
            break;
        case 5:
            mutate_stride(tensor);
            return;
        case 6:
        case 7:
            mutate_parameter(tensor);
            return;
        case 8:
            mutate_reference(entry, position);
            return;
        case 9:
            mutate_unused_strides(input, tensor);
            return;
        default:
            tensor.data_offset += below(2) == 0 ? 4U : below(4096);
            return;
    }
    if (below(8) != 0)
        settle(input, tensor);
}

void GraphMutator::mutate_shape(protocol::Tensor& tensor) {
    int64_t& size = tensor.ne[below(4)];
    switch (below(4)) {
        case 0:
            size = kSizes[below(std::size(kSizes))];
            break;
        case 1:
            size = static_cast<int64_t>(static_cast<uint64_t>(size) +
                                        (below(2) == 0 ? uint64_t{1} : UINT64_MAX));
            break;
        case 2:
            size = below(2) == 0 ? static_cast<int64_t>(static_cast<uint64_t>(size) * 2) : size / 2;
            break;
        default:
            std::swap(size, tensor.ne[below(4)]);
    }
}

void GraphMutator::mutate_stride(protocol::Tensor& tensor) {
    uint64_t& stride = tensor.nb[below(4)];
    switch (below(4)) {
        case 0:
            stride = 0;
            break;
        case 1:
            stride += below(2) == 0 ? 4 : uint64_t{0} - 4;
            break;
        case 2:
            stride *= 2;
            break;
        default:
            std::swap(stride, tensor.nb[below(4)]);
    }
}

void GraphMutator::mutate_dimension(GraphInput& input) {
    const size_t dimension = below(4);
    const size_t other = below(4);
    const uint32_t change = below(3);
    const int64_t size = kSizes[1 + below(12)];
    for (protocol::GraphTensor& entry : input.graph.tensors) {
        protocol::Tensor& tensor = entry.tensor;
        if (change == 0)
            tensor.ne[dimension] = 1;
        else if (change == 1)
            std::swap(tensor.ne[dimension], tensor.ne[other]);
        else
            tensor.ne[dimension] = size;
        settle(input, tensor);
    }
}

void GraphMutator::mutate_unused_strides(GraphInput& input, protocol::Tensor& tensor) {
    constexpr uint64_t kStrides[] = {0, 4, 32, 4096, 1U << 15, kLargestBuffer};
    const uint64_t stride = kStrides[below(std::size(kStrides))];
    const bool all = below(4) == 0;
    const size_t chosen = below(4);
    for (size_t i = 0; i < 4; ++i)
        if (tensor.ne[i] == 1 && (all || i == chosen))
            set_unused_stride(input, tensor, i, stride);
}

void GraphMutator::mutate_parameter(protocol::Tensor& tensor) {
    int32_t& word = tensor.op_params[below(16)];
    switch (below(3)) {
        case 0:
            word = kParameters[below(std::size(kParameters))];
            break;
        case 1:
            word = static_cast<int32_t>(static_cast<uint32_t>(word) + (below(2) == 0 ? 1U : ~0U));
            break;
        default:
            word = static_cast<int32_t>(random_());
    }
}

void GraphMutator::mutate_reference(protocol::GraphTensor& tensor, size_t position) {
    tensor.source[below(tensor.source.size())] = below(position + 2);
    if (below(8) == 0) {
        tensor.view_source = below(position + 2);
        tensor.view_offset = below(256);
    }
}

void GraphMutator::mutate_graph(GraphInput& input) {
    auto& tensors = input.graph.tensors;
    switch (below(5)) {
        case 0:
            input.sizes[below(kBuffers)] = below(2) == 0 ? 0 : below(1 << 16);
            break;
        case 1:
            if (tensors.size() < 8)
                tensors.push_back(tensors[below(tensors.size())]);
            break;
        case 2:
            input.graph.nodes = {static_cast<uint32_t>(tensors.size() - 1)};
            break;
        case 3:
            input.graph.nodes.push_back(below(tensors.size() + 1));
            break;
        default:
            if (input.edit.changes.size() < 4)
                input.edit.changes.push_back(
                    {below(tensors.size() + 1), tensors[below(tensors.size())]});
    }
}

}  // namespace virtgpu::fuzz
