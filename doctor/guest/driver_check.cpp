#include "doctor/guest/driver_check.h"

#include <array>
#include <string_view>

#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "driver";
constexpr const char* kDevices = "/sys/bus/virtio/devices";
constexpr const char* kVirtioGpu = "0x0010";  // virtio's number of a GPU
// Boot parameters with which the driver takes no device.
constexpr std::array<std::string_view, 2> kForbidding{"nomodeset", "virtio_gpu.modeset=0"};

}  // namespace

std::vector<std::string> virtio_gpus(const SystemRoot& root) {
    std::vector<std::string> found;
    for (const std::string& device : root.entries(kDevices, ""))
        if (root.text(device + "/device") == kVirtioGpu)
            found.push_back(device);
    return found;
}

Findings DriverCheck::examine() {
    const auto devices = virtio_gpus(root_);
    if (devices.empty())
        return {problem(kSubject, "this machine has no virtio-gpu device",
                        "a VM: start QEMU with the device that `ggml-virtgpu-host doctor` names; a "
                        "container: set GGML_VIRTGPU_SOCKET to the host's socket")};
    Findings findings;
    for (const std::string& device : devices)
        findings.push_back(about(device));
    return findings;
}

Finding DriverCheck::about(const std::string& device) const {
    const std::string name = device.substr(device.rfind('/') + 1);
    const std::string driver = root_.link_name(device + "/driver");
    if (driver.empty())
        return about_unbound(name);
    if (driver != kDriver)
        return problem(kSubject, wire::format("{} is taken by the driver {}", name, driver),
                       wire::format("echo {0} > /sys/bus/virtio/drivers/{1}/unbind; "
                                    "echo {0} > /sys/bus/virtio/drivers/{2}/bind",
                                    name, driver, kDriver));
    return ok(kSubject, wire::format("{}: {} of Linux {}", name, kDriver,
                                     root_.text("/proc/sys/kernel/osrelease").value_or("?")));
}

Finding DriverCheck::about_unbound(const std::string& name) const {
    const std::string boot = " " + root_.text("/proc/cmdline").value_or("") + " ";
    for (const std::string_view parameter : kForbidding)
        if (boot.find(wire::format(" {} ", parameter)) != std::string::npos)
            return problem(
                kSubject,
                wire::format("{} has no driver: the boot parameter {} forbids it", name, parameter),
                "remove it from the kernel's command line and restart");
    if (!root_.exists(wire::format("/sys/bus/virtio/drivers/{}", kDriver)))
        return problem(kSubject, wire::format("{} has no driver: {} is not loaded", name, kDriver),
                       wire::format("modprobe {}", kDriver));
    return problem(kSubject, wire::format("{} has no driver: {} has not taken it", name, kDriver),
                   wire::format("dmesg says why; then echo {} > /sys/bus/virtio/drivers/{}/bind",
                                name, kDriver));
}

}  // namespace virtgpu::doctor
