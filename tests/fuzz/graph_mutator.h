// Changes a graph as a program that uses ggml wrongly, or to do harm, would.
#pragma once

#include <random>

#include "tests/fuzz/graph_input.h"

namespace virtgpu::fuzz {

// Makes the tensor contiguous, and its buffer just as large as it.
void settle(GraphInput& input, protocol::Tensor& tensor);
// Makes the buffer large enough for such a stride of a dimension of one to be taken.
void set_unused_stride(GraphInput& input, protocol::Tensor& tensor, size_t dimension,
                       uint64_t stride);

class GraphMutator {
 public:
    explicit GraphMutator(uint32_t seed) : random_(seed) {}

    void mutate(GraphInput& input);

 private:
    uint32_t below(size_t bound) { return static_cast<uint32_t>(random_() % bound); }
    void mutate_tensor(GraphInput& input, size_t position);
    void mutate_shape(protocol::Tensor& tensor);
    void mutate_stride(protocol::Tensor& tensor);
    void mutate_parameter(protocol::Tensor& tensor);
    // One dimension of all tensors alike, so that shapes go on fitting.
    void mutate_dimension(GraphInput& input);
    // Strides that lead nowhere, which kernels may follow all the same.
    void mutate_unused_strides(GraphInput& input, protocol::Tensor& tensor);
    void mutate_reference(protocol::GraphTensor& tensor, size_t position);
    void mutate_graph(GraphInput& input);

    std::mt19937 random_;
};

}  // namespace virtgpu::fuzz
