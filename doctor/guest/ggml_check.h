#pragma once

#include <string>

#include "doctor/check.h"

namespace virtgpu::doctor {

// Whether a ggml finds the plug-in, and the plug-in the host's devices: what an application sees.
class GgmlCheck : public Check {
 public:
    // A file, or a name that the loader looks for.
    explicit GgmlCheck(std::string library) : library_(std::move(library)) {}
    Findings examine() override;

 private:
    std::string library_;
};

}  // namespace virtgpu::doctor
