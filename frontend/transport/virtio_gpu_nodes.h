#pragma once

#include <string>
#include <vector>

#include "wire/log.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::frontend {

struct VirtioGpuNode {
    wire::FileDescriptor file;
    std::string address;  // of the device on its bus, or the node's name
};

// Every render node of the virtio_gpu driver that this process may open, ordered by address. What
// cannot be opened is left out with a debug message.
std::vector<VirtioGpuNode> open_virtio_gpu_nodes(wire::Log& log);

}  // namespace virtgpu::frontend
