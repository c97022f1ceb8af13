#include "doctor/guest/features_check.h"

#include <algorithm>

#include "frontend/stderr_log.h"
#include "frontend/transport/virtio_gpu_nodes.h"
#include "protocol/generated/structures.h"
#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

std::string list_of_capsets(uint64_t capsets) {
    std::vector<std::string> numbers;
    for (unsigned number = 0; number < 64; ++number)
        if ((capsets >> number & 1) != 0)
            numbers.push_back(std::to_string(number));
    return numbers.empty() ? "none" : wire::join(numbers);
}

bool may_be_ours(const OfferedFeatures& device) {
    return device.parameters.has_capset(protocol::kCapsetApir) ||
           device.parameters.has_capset(protocol::kCapsetVenus);
}

Finding about_capsets(const OfferedFeatures& device) {
    const std::string capsets = list_of_capsets(device.parameters.capsets);
    if (device.parameters.has_capset(protocol::kCapsetApir))
        return ok("capsets", wire::format("{}: {}, with APIR's {}", device.name, capsets,
                                          protocol::kCapsetApir));
    return warning("capsets",
                   wire::format("{}: {}: it may be a host of ours behind Venus's {}", device.name,
                                capsets, protocol::kCapsetVenus),
                   wire::format("it is when a line below says that {} answers", device.name));
}

// A VM may have another virtio-gpu for its display.
Finding about_ordinary(const OfferedFeatures& device, bool another_is_ours) {
    const std::string text = wire::format("{}: {}: an ordinary virtio-gpu, not ours", device.name,
                                          list_of_capsets(device.parameters.capsets));
    if (another_is_ours)
        return ok("capsets", text);
    return problem("capsets", text,
                   "start QEMU with the device that `ggml-virtgpu-host doctor` names");
}

Finding about_features(const OfferedFeatures& device) {
    const auto& parameters = device.parameters;
    std::vector<std::string> missing;
    for (const auto& [there, feature] :
         {std::pair(parameters.three_d, "3D"), std::pair(parameters.blobs, "blobs"),
          std::pair(parameters.host_visible, "host-visible memory"),
          std::pair(parameters.context_types, "context types")})
        if (!there)
            missing.emplace_back(feature);
    if (missing.empty())
        return ok("features", wire::format("{}: all that is needed", device.name));
    return warning(
        "features", wire::format("{}: no {}", device.name, wire::join(missing)),
        "use QEMU 11.1 or newer with vhost-user-test-device-pci, a host program that has a "
        "--window, and Linux 5.16 or newer in the guest");
}

}  // namespace

Findings FeaturesCheck::examine() {
    frontend::StderrLog log(false);
    std::vector<OfferedFeatures> devices;
    for (const frontend::VirtioGpuNode& node : frontend::open_virtio_gpu_nodes(log))
        devices.push_back({node.address, frontend::device_parameters(node.file.number())});
    return describe_features(devices);
}

Findings describe_features(const std::vector<OfferedFeatures>& devices) {
    const bool some_are_ours = std::any_of(devices.begin(), devices.end(), may_be_ours);
    Findings findings;
    for (const OfferedFeatures& device : devices) {
        if (!may_be_ours(device)) {
            findings.push_back(about_ordinary(device, some_are_ours));
            continue;
        }
        findings.push_back(about_capsets(device));
        findings.push_back(about_features(device));
    }
    return findings;
}

}  // namespace virtgpu::doctor
