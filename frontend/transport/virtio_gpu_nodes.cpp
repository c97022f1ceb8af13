#include "frontend/transport/virtio_gpu_nodes.h"

#include <fcntl.h>
#include <xf86drm.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

namespace virtgpu::frontend {

namespace {

constexpr int kMaxDevices = 64;

struct VersionDeleter {
    void operator()(drmVersion* version) const { drmFreeVersion(version); }
};

bool is_virtio_gpu(int node) {
    const std::unique_ptr<drmVersion, VersionDeleter> version(drmGetVersion(node));
    return version &&
           std::string_view(version->name, static_cast<size_t>(version->name_len)) == "virtio_gpu";
}

std::string address_of(const drmDevice& device, std::string_view path) {
    if (device.bustype == DRM_BUS_PCI)
        return wire::format("{:04x}:{:02x}:{:02x}.{}", device.businfo.pci->domain,
                            device.businfo.pci->bus, device.businfo.pci->dev,
                            device.businfo.pci->func);
    return std::string(path.substr(path.rfind('/') + 1));
}

void explain(wire::Log& log, const char* path, int reason) {
    const std::string message = std::generic_category().message(reason);
    if (reason == EACCES)
        log.debug(
            "cannot open {}: {}; a user of it must be in the group that owns it, often 'render'",
            path, message);
    else
        log.debug("cannot open {}: {}", path, message);
}

}  // namespace

std::vector<VirtioGpuNode> open_virtio_gpu_nodes(wire::Log& log) {
    std::array<drmDevicePtr, kMaxDevices> devices{};
    const int count = drmGetDevices2(0, devices.data(), kMaxDevices);
    std::vector<VirtioGpuNode> nodes;
    for (int i = 0; i < count; ++i) {
        const drmDevice& device = *devices[static_cast<size_t>(i)];
        if ((device.available_nodes & (1 << DRM_NODE_RENDER)) == 0)
            continue;
        const char* path = device.nodes[DRM_NODE_RENDER];
        wire::FileDescriptor file(::open(path, O_RDWR | O_CLOEXEC));
        if (!file)
            explain(log, path, errno);
        else if (!is_virtio_gpu(file.number()))
            log.debug("{} is not a virtio-gpu device", path);
        else
            nodes.push_back({std::move(file), address_of(device, path)});
    }
    if (count > 0)
        drmFreeDevices(devices.data(), count);
    std::sort(nodes.begin(), nodes.end(),
              [](const VirtioGpuNode& a, const VirtioGpuNode& b) { return a.address < b.address; });
    return nodes;
}

}  // namespace virtgpu::frontend
