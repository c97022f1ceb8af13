#pragma once

#include <ggml-backend.h>

namespace virtgpu::benchmark {

// Loads ggml's backends from `folder` and returns the device called `name`, or null. HOST:PORT is
// the first device of the ggml-rpc-server there.
ggml_backend_dev_t find_device(const char* name, const char* folder);

}  // namespace virtgpu::benchmark
