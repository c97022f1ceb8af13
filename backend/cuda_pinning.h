// Pinning for NVIDIA's GPUs.
#pragma once

#include <string>

#include "backend/pinned_region.h"

namespace virtgpu::backend {

// By the driver's own functions, which are there whenever a CUDA backend is, whatever version of
// the CUDA runtime it brings along. ggml's ggml_backend_register_host_buffer will not do: it
// refuses unless GGML_CUDA_REGISTER_HOST is set, and declares the memory read-only for the GPU,
// which writes results there. `bus_id` is the PCI address of a GPU that is used; the memory is
// pinned for all. Null when the driver is not loaded or lacks a function.
std::shared_ptr<RegionPinning> make_cuda_pinning(const std::string& bus_id, wire::Log& log);

}  // namespace virtgpu::backend
