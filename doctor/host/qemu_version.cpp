#include "doctor/host/qemu_version.h"

#include <cstdio>

#include "doctor/child.h"

namespace virtgpu::doctor {

std::string QemuVersion::text() const {
    return wire::format("{}.{}", major, minor);
}

DevicePath path_of(QemuVersion version) {
    if (version >= kFirstGeneric)
        return DevicePath::kGeneric;
    return version >= kFirstLegacy ? DevicePath::kLegacy : DevicePath::kNone;
}

std::string device_argument(DevicePath path) {
    switch (path) {
        case DevicePath::kGeneric:
            return "vhost-user-test-device-pci,chardev=vgpu,virtio-id=16,num_vqs=2,vq_size=256,"
                   "config_size=16";
        case DevicePath::kLegacy:
            return "vhost-user-gpu-pci,chardev=vgpu";
        case DevicePath::kNone:
            break;
    }
    return {};
}

std::optional<QemuVersion> parse_qemu_version(const std::string& answer) {
    QemuVersion version;
    if (std::sscanf(answer.c_str(), "QEMU emulator version %d.%d", &version.major,
                    &version.minor) != 2)
        return std::nullopt;
    return version;
}

wire::Result<QemuVersion> ask_qemu_version(const std::string& program) {
    const auto answer = TRY(run_program({program, "--version"}));
    const auto version = parse_qemu_version(answer.output);
    if (answer.status != 0 || !version)
        return wire::fail(wire::Fault::kRefused, "'{} --version' does not answer as QEMU", program);
    return *version;
}

}  // namespace virtgpu::doctor
