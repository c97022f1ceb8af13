#pragma once

#include "doctor/check.h"
#include "frontend/transport/device_parameters.h"

namespace virtgpu::doctor {

// What the virtio-gpu devices offer, by the kernel's ioctls.
class FeaturesCheck : public Check {
 public:
    Findings examine() override;
};

// About one device.
Findings describe_features(const std::string& name, const frontend::DeviceParameters& parameters);

}  // namespace virtgpu::doctor
