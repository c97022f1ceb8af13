#pragma once

#include <compare>
#include <optional>
#include <string>

#include "wire/result.h"

namespace virtgpu::doctor {

struct QemuVersion {
    int major = 0;
    int minor = 0;

    auto operator<=>(const QemuVersion&) const = default;
    std::string text() const;
};

// How a VM reaches the host program, which depends on QEMU's version.
enum class DevicePath {
    kGeneric,  // all features, by QEMU's generic vhost-user device
    kLegacy,   // guest memory only, by its vhost-user GPU
    kNone
};

inline constexpr QemuVersion kFirstGeneric{11, 1};
inline constexpr QemuVersion kFirstLegacy{7, 2};
// Its vhost-user GPU has all features, too.
inline constexpr QemuVersion kFirstWholeGpu{11, 2};

// Its vhost-user devices refuse to run without KVM, for no reason that holds.
inline bool needs_kvm(QemuVersion version) {
    return version.major <= 7;
}

DevicePath path_of(QemuVersion version);
// The -device argument for a path.
std::string device_argument(DevicePath path);

// Of "QEMU emulator version 11.1.2 (Debian 1:11.1.2+ds-1)\n…".
std::optional<QemuVersion> parse_qemu_version(const std::string& answer);
// Fault::kRefused when there is no such program, or it is no QEMU.
wire::Result<QemuVersion> ask_qemu_version(const std::string& program);

}  // namespace virtgpu::doctor
