#pragma once

#include <memory>
#include <vector>

#include "doctor/finding.h"

namespace virtgpu::doctor {

// Looks at one thing. Changes nothing, and ends within a minute or two (child.h).
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
