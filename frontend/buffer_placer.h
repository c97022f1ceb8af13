#pragma once

#include "frontend/connection.h"
#include "frontend/tensor_description.h"

namespace virtgpu::frontend {

class RemoteBuffer;

// Finds the data of tensors in the buffers of one connection, and tells the host on the way what
// the buffers are for.
class BufferPlacer : public TensorPlacer {
 public:
    explicit BufferPlacer(const Connection& connection) : connection_(connection) {}

    wire::Result<TensorPlace> place(const ggml_tensor& tensor) override;
    // The buffer that the data is in; null when it is none of the connection's.
    RemoteBuffer* buffer_of(const ggml_tensor& tensor) const;
    // The same for a request: the host has been told what the buffer is for. Fault::kRefused
    // instead of null.
    wire::Result<RemoteBuffer*> use_buffer_of(const ggml_tensor& tensor) const;

 private:
    const Connection& connection_;
};

}  // namespace virtgpu::frontend
