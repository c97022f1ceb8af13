#pragma once

#include <ggml.h>

#include "protocol/generated/structures.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Where a tensor's data is. A handle without generation: the tensor has no bytes, or no place is
// wanted.
struct TensorPlace {
    protocol::Handle buffer;
    uint64_t offset = 0;
    uint64_t buffer_size = 0;
};

class TensorPlacer {
 public:
    virtual ~TensorPlacer() = default;
    // Fault::kRefused for data that is not in a buffer of the connection.
    virtual wire::Result<TensorPlace> place(const ggml_tensor& tensor) = 0;
};

// The tensor as the protocol describes it, without sources and place. Into a description that is
// all zeroes: copies of it are most of what encoding a graph costs.
void describe(const ggml_tensor& tensor, protocol::Tensor& description);
// The same as a leaf: what the operation was does not matter to whoever reads the result.
void describe_leaf(const ggml_tensor& tensor, protocol::Tensor& description);
// For requests that touch the data alone.
protocol::TensorData describe_data(const ggml_tensor& tensor, const TensorPlace& place);
// Says where the data is. Strides of dimensions with one element mean nothing, yet must not reach
// past the buffer: the copies of ggml's scheduler keep those of the tensor that they are copies of.
void set_place(protocol::Tensor& description, const TensorPlace& place);

}  // namespace virtgpu::frontend
