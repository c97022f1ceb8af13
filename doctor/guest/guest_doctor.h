// ggml-virtgpu-doctor: whether programs in this guest or container reach the host's devices.
#pragma once

#include <string>
#include <vector>

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

struct GuestDoctorOptions {
    std::string socket_path;  // of a container's host; empty in a VM
    std::vector<std::string> ggmls{"libggml.so.0"};
};

// The checks keep a reference to `root`.
Checks guest_checks(const GuestDoctorOptions& options, const SystemRoot& root);

}  // namespace virtgpu::doctor
