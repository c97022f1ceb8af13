#pragma once

#include "device/apir/worker_options.h"
#include "doctor/check.h"

namespace virtgpu::doctor {

// Whether this program and its worker are of one build, and which ggml the worker runs with.
class VersionsCheck : public Check {
 public:
    // `version`: of this program.
    VersionsCheck(std::string version, apir::WorkerOptions worker)
        : version_(std::move(version)), worker_(std::move(worker)) {}
    Findings examine() override;

 private:
    std::string version_;
    apir::WorkerOptions worker_;
};

}  // namespace virtgpu::doctor
