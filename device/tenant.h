// Serving one tenant, a VM or a container's connection, until it leaves or we are told to end.
#pragma once

#include <cstdint>

#include "device/apir/worker_launcher.h"
#include "device/gpu/device.h"
#include "device/limits.h"
#include "wire/log.h"
#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

enum class TenantKind { kVirtualMachine, kContainer };

struct TenantOptions {
    apir::WorkerOptions worker;
    // Bytes of a VM's host-visible window and of all its regions; 0: a VM shares its own memory.
    uint64_t window_size = 0;
    // Bytes of all regions of a container, which has no memory of its own to share.
    uint64_t container_window_size = 0;
    TenantLimits limits;
    bool worker_per_context = false;
    gpu::CapsetOptions capsets = gpu::CapsetOptions::kApir;
};

// Runs the device process: single-threaded, blocks SIGTERM and SIGINT and takes them as the request
// to let the worker finish (5 s at most) and return, and SIGUSR1 as the request to log what the
// contexts did so far. `socket` is the tenant's connection. Opens no file and starts no process.
wire::Result<void> serve_tenant(TenantKind kind, wire::FileDescriptor socket,
                                apir::WorkerLauncher& launcher, const TenantOptions& options,
                                wire::Log& log);

}  // namespace virtgpu::device
