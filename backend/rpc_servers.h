// ggml-rpc-servers, whose devices ggml's backend rpc makes its own.
#pragma once

#include <ggml-backend.h>

#include <string>

#include "wire/result.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

// Fault::kRefused when `endpoint` is not HOST:PORT.
Result<void> check_endpoint(const std::string& endpoint);

// The devices of one server, as a backend. Fault::kRefused when `rpc` is not the backend rpc or the
// server cannot be reached. Forks, so no other thread may run.
Result<ggml_backend_reg_t> add_rpc_server(ggml_backend_reg_t rpc, const std::string& endpoint);

}  // namespace virtgpu::backend
