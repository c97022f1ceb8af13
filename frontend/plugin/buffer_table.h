#pragma once

#include <ggml-backend.h>

#include <memory>

#include "frontend/device.h"

namespace virtgpu::frontend {

// A buffer with the device that it is of, and so the connection.
struct OwnedBuffer {
    std::shared_ptr<Device> device;
    std::unique_ptr<Buffer> buffer;
};

// Hands a buffer to ggml, which frees it.
ggml_backend_buffer_t make_ggml_buffer(ggml_backend_buffer_type_t type, OwnedBuffer buffer,
                                       size_t size);

// The buffer behind ggml's, null when it is not one of ours. Not by its type: ggml makes buffers of
// our type without us, for probing and for tensors without bytes.
Buffer* buffer_behind(ggml_backend_buffer_t buffer);

}  // namespace virtgpu::frontend
