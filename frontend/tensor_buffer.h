#pragma once

#include <ggml-backend.h>

namespace virtgpu::frontend {

// The buffer that a tensor's data is in; null where it has no place yet. A view that ggml has not
// placed is where its source is.
inline ggml_backend_buffer_t ggml_buffer_of(const ggml_tensor& tensor) {
    return tensor.buffer == nullptr && tensor.view_src != nullptr ? tensor.view_src->buffer
                                                                  : tensor.buffer;
}

}  // namespace virtgpu::frontend
