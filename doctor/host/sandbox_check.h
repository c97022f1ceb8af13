#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// What this kernel lets this process shut itself in with.
struct SandboxFeatures {
    bool user_namespaces = false;
    bool seccomp_filters = false;
    int landlock = 0;  // version of its ABI; 0: none
};

// Tries each.
SandboxFeatures find_sandbox_features();

class SandboxCheck : public Check {
 public:
    SandboxCheck(SandboxFeatures features, const SystemRoot& root)
        : features_(features), root_(root) {}
    Findings examine() override;

 private:
    Finding user_namespaces() const;

    SandboxFeatures features_;
    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
