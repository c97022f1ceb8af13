#include "doctor/host/qemu_check.h"

#include "doctor/host/qemu_version.h"

namespace virtgpu::doctor {

Findings QemuCheck::examine() {
    const auto version = ask_qemu_version(program_);
    if (!version)
        return {warning("QEMU", version.error().message() + ": only containers can be served",
                        "install qemu-system-x86, or name yours with --qemu")};
    const DevicePath path = path_of(*version);
    const std::string argument = device_argument(path);
    switch (path) {
        case DevicePath::kGeneric:
            return {ok("QEMU",
                       wire::format("{}, all features: -device {}", version->text(), argument))};
        case DevicePath::kLegacy:
            return {
                warning("QEMU",
                        wire::format("{}, guest memory only{}: -device {}", version->text(),
                                     needs_kvm(*version) ? " and with KVM" : "", argument),
                        wire::format("QEMU {} or newer shares the host's memory, which is faster",
                                     kFirstGeneric.text()))};
        case DevicePath::kNone:
            break;
    }
    return {problem("QEMU", wire::format("{} cannot carry the device", version->text()),
                    wire::format("use QEMU {} or newer; {} or newer is faster", kFirstLegacy.text(),
                                 kFirstGeneric.text()))};
}

}  // namespace virtgpu::doctor
