#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// Whether this user may use the GPUs that there are.
class GpuNodesCheck : public Check {
 public:
    explicit GpuNodesCheck(const SystemRoot& root) : root_(root) {}
    Findings examine() override;

 private:
    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
