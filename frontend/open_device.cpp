#include "frontend/open_device.h"

#include "frontend/host_probe.h"
#include "frontend/transport/drm_transport.h"

namespace virtgpu::frontend {

wire::Result<std::unique_ptr<Transport>> open_device(VirtioGpuNode& node, bool apir_capset_only) {
    auto transport =
        TRY(DrmTransport::create(std::move(node.file), node.address, apir_capset_only));
    if (!transport->certain())
        TRY(expect_host(*transport));
    return transport;
}

}  // namespace virtgpu::frontend
