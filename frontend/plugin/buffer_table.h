#pragma once

#include <ggml-backend.h>

#include <memory>

#include "frontend/device.h"

namespace virtgpu::frontend {

// Hands a buffer to ggml, which frees it.
ggml_backend_buffer_t make_ggml_buffer(ggml_backend_buffer_type_t type,
                                       std::unique_ptr<Buffer> buffer, size_t size);

// The buffer behind ggml's, null when it is not one of ours. Not by its type: ggml makes buffers of
// our type without us, for probing and for tensors without bytes.
Buffer* buffer_behind(ggml_backend_buffer_t buffer);

}  // namespace virtgpu::frontend
