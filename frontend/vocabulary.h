#pragma once

#include "protocol/generated/structures.h"

namespace virtgpu::frontend {

// HELLO with the names of everything that this process' ggml has a number for. `frontend_version`
// is ours.
protocol::HelloRequest hello_request(const char* frontend_version);

}  // namespace virtgpu::frontend
