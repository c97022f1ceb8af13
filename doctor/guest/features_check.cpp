#include "doctor/guest/features_check.h"

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

}  // namespace

Findings FeaturesCheck::examine() {
    frontend::StderrLog log(false);
    Findings findings;
    for (const frontend::VirtioGpuNode& node : frontend::open_virtio_gpu_nodes(log))
        for (Finding& finding :
             describe_features(node.address, frontend::device_parameters(node.file.number())))
            findings.push_back(std::move(finding));
    return findings;
}

Findings describe_features(const std::string& name, const frontend::DeviceParameters& parameters) {
    Findings findings;
    const std::string capsets = list_of_capsets(parameters.capsets);
    if (parameters.has_capset(protocol::kCapsetApir))
        findings.push_back(ok("capsets", wire::format("{}: {}, with APIR's {}", name, capsets,
                                                      protocol::kCapsetApir)));
    else if (parameters.has_capset(protocol::kCapsetVenus))
        findings.push_back(
            warning("capsets",
                    wire::format("{}: {}: it may be a host of ours behind Venus's {}", name,
                                 capsets, protocol::kCapsetVenus),
                    "see below whether it answers"));
    else
        findings.push_back(problem(
            "capsets", wire::format("{}: {}: an ordinary virtio-gpu, not ours", name, capsets),
            "start QEMU with the device that `ggml-virtgpu-host doctor` names"));
    std::vector<std::string> missing;
    for (const auto& [there, feature] :
         {std::pair(parameters.three_d, "3D"), std::pair(parameters.blobs, "blobs"),
          std::pair(parameters.host_visible, "host-visible memory"),
          std::pair(parameters.context_types, "context types")})
        if (!there)
            missing.emplace_back(feature);
    if (missing.empty())
        findings.push_back(ok("features", wire::format("{}: all that is needed", name)));
    else
        findings.push_back(warning(
            "features", wire::format("{}: no {}", name, wire::join(missing)),
            "use QEMU 11.1 or newer with vhost-user-test-device-pci, a host program that has a "
            "--window, and Linux 5.16 or newer in the guest"));
    return findings;
}

}  // namespace virtgpu::doctor
