// The compute worker's program: where it is, and what it says of itself when it is asked.
#pragma once

#include <string>

#include "device/apir/worker_options.h"
#include "wire/result.h"

namespace virtgpu::host {

inline constexpr const char* kWorkerName = "ggml-virtgpu-worker";

// `named` if it is not empty, else the program next to this one, in the build's worker folder or in
// the installation's libexec folder. Fault::kRefused when there is none.
wire::Result<std::string> find_worker(const std::string& named);

// Runs the worker with one more argument (--check, --list-devices, --version) on our terminal;
// returns its exit status.
wire::Result<int> run_worker(const apir::WorkerOptions& options, const std::string& argument);

}  // namespace virtgpu::host
