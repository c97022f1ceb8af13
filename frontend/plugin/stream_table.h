#pragma once

#include <ggml-backend.h>

#include "frontend/remote_device.h"

namespace virtgpu::frontend {

// A new ggml_backend_t of the device, which ggml frees; null after logging why.
ggml_backend_t make_ggml_backend(RemoteDevice& device, ggml_backend_dev_t ggml_device);

}  // namespace virtgpu::frontend
