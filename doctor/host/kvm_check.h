#pragma once

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

class KvmCheck : public Check {
 public:
    explicit KvmCheck(const SystemRoot& root) : root_(root) {}
    Findings examine() override;

 private:
    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
