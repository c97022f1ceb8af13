#pragma once

#include <memory>
#include <vector>

#include "doctor/finding.h"

namespace virtgpu::doctor {

// Looks at one thing. Changes nothing, and never takes longer than some seconds.
class Check {
 public:
    virtual ~Check() = default;
    Check() = default;
    Check(const Check&) = delete;
    Check& operator=(const Check&) = delete;

    // Empty where there is nothing to look at.
    virtual Findings examine() = 0;
};

using Checks = std::vector<std::unique_ptr<Check>>;

}  // namespace virtgpu::doctor
