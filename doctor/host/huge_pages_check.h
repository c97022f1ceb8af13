#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// Whether shared memory gets huge pages, which makes computing with large weights faster.
class HugePagesCheck : public Check {
 public:
    explicit HugePagesCheck(const SystemRoot& root) : root_(root) {}
    Findings examine() override;

 private:
    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
