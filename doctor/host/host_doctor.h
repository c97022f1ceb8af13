// `ggml-virtgpu-host doctor`: whether this machine can serve VMs and containers, and how well.
#pragma once

#include <string>
#include <vector>

#include "device/apir/worker_options.h"
#include "doctor/check.h"
#include "doctor/host/sockets_check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

struct HostDoctorOptions {
    std::string version;  // of ggml-virtgpu-host
    apir::WorkerOptions worker;
    std::vector<SocketsCheck::Place> sockets;
    std::string qemu = "qemu-system-x86_64";
    std::vector<std::string> qemu_command;  // a command line to look at; may be empty
};

// The checks keep a reference to `root`.
Checks host_checks(const HostDoctorOptions& options, const SystemRoot& root);

}  // namespace virtgpu::doctor
