#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// Whether the devices' render nodes are there, and this user may open them.
class DeviceNodeCheck : public Check {
 public:
    explicit DeviceNodeCheck(const SystemRoot& root) : root_(root) {}
    Findings examine() override;

 private:
    Finding about(const std::string& node) const;

    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
