#pragma once

#include "frontend/connection.h"
#include "frontend/tensor_description.h"

namespace virtgpu::frontend {

// Finds the data of tensors in the buffers of one connection, and tells the host on the way what
// the buffers are for.
class BufferPlacer : public TensorPlacer {
 public:
    explicit BufferPlacer(const Connection& connection) : connection_(connection) {}

    wire::Result<TensorPlace> place(const ggml_tensor& tensor) override;
    // Whether the data is in a buffer of the connection.
    bool holds(const ggml_tensor& tensor) const;

 private:
    const Connection& connection_;
};

}  // namespace virtgpu::frontend
