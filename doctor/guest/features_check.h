#pragma once

#include "doctor/check.h"
#include "frontend/transport/device_parameters.h"

namespace virtgpu::doctor {

// What the virtio-gpu devices offer, by the kernel's ioctls.
class FeaturesCheck : public Check {
 public:
    Findings examine() override;
};

// What one device offers.
struct OfferedFeatures {
    std::string name;
    frontend::DeviceParameters parameters;
};

// About all of a machine's: one that is not ours is a problem only where no other is.
Findings describe_features(const std::vector<OfferedFeatures>& devices);

}  // namespace virtgpu::doctor
