#pragma once

#include <chrono>
#include <string>

#include "doctor/check.h"

namespace virtgpu::doctor {

// Whether a ggml finds the plug-in, and the plug-in the host's devices: what an application sees.
class GgmlCheck : public Check {
 public:
    // A worker's backends may take theirs to start.
    static constexpr std::chrono::seconds kTime{60};

    // A file, or a name that the loader looks for.
    explicit GgmlCheck(std::string library, std::chrono::seconds time = kTime)
        : library_(std::move(library)), time_(time) {}
    Findings examine() override;

 private:
    std::string library_;
    std::chrono::seconds time_;
};

}  // namespace virtgpu::doctor
