#pragma once

#include "doctor/check.h"

namespace virtgpu::doctor {

// Which QEMU there is, and which device of it leads to us.
class QemuCheck : public Check {
 public:
    // A name in $PATH, or a path.
    explicit QemuCheck(std::string program) : program_(std::move(program)) {}
    Findings examine() override;

 private:
    std::string program_;
};

}  // namespace virtgpu::doctor
