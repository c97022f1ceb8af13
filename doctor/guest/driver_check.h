#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// Whether this machine has virtio-gpu devices, and the kernel's driver has taken them.
class DriverCheck : public Check {
 public:
    explicit DriverCheck(const SystemRoot& root) : root_(root) {}
    Findings examine() override;

 private:
    Finding about(const std::string& device) const;
    Finding about_unbound(const std::string& name) const;

    const SystemRoot& root_;
};

// Folders in /sys of the virtio devices that are GPUs.
std::vector<std::string> virtio_gpus(const SystemRoot& root);

inline constexpr const char* kDriver = "virtio_gpu";

}  // namespace virtgpu::doctor
