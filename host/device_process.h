// What a process does once it serves one tenant.
#pragma once

#include "device/tenant.h"
#include "sandbox/sandbox.h"

namespace virtgpu::host {

// In a device process: the connection to serve.
struct Tenant {
    device::TenantKind kind;
    wire::FileDescriptor socket;
};

// For a process with one thread, which gives up what it does not need for this and does not get it
// back. Returns when the tenant has left.
wire::Result<void> become_device_process(Tenant tenant, const device::TenantOptions& options,
                                         sandbox::Mode mode, wire::Log& log);

}  // namespace virtgpu::host
