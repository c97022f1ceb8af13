#pragma once

#include "frontend/transport/drm_transport.h"

namespace virtgpu::frontend {

// A device without context types and blobs, as vhost-user-gpu-pci of QEMU before 11.2: a context is
// whatever opens the device, and regions are guest memory that the host sees. The fences of all
// processes are on one time line, on which the device wakes waiters early rather than let them
// block others.
class LegacyTransport : public DrmTransport {
 public:
    LegacyTransport(wire::FileDescriptor node, std::string name)
        : DrmTransport(std::move(node), std::move(name), {protocol::kCapsetApir, true}) {}

    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) override;

 private:
    void choose_time_line(uapi::Execbuffer& /*request*/, uint32_t /*ring*/) const override {}
};

}  // namespace virtgpu::frontend
