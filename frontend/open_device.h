#pragma once

#include <memory>

#include "frontend/transport/transport.h"
#include "frontend/transport/virtio_gpu_nodes.h"

namespace virtgpu::frontend {

// Takes the node's file. Fault::kRefused when the device is not ours.
wire::Result<std::unique_ptr<Transport>> open_device(VirtioGpuNode& node, bool apir_capset_only);

}  // namespace virtgpu::frontend
