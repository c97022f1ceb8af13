// Changes a graph as a program that uses ggml wrongly, or to do harm, would.
#pragma once

#include <random>

#include "tests/fuzz/graph_input.h"

namespace virtgpu::fuzz {

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
    void mutate_reference(protocol::GraphTensor& tensor, size_t position);
    void mutate_graph(GraphInput& input);
    // Makes the tensor contiguous, and its buffer just as large as it.
    void settle(GraphInput& input, protocol::Tensor& tensor);

    std::mt19937 random_;
};

}  // namespace virtgpu::fuzz
