#pragma once

#include "device/apir/worker_options.h"
#include "doctor/check.h"
#include "doctor/child.h"

namespace virtgpu::doctor {

// Whether this program and its worker are of one build, and which ggml the worker runs with.
class VersionsCheck : public Check {
 public:
    // `version`: of this program; `time`: how long the worker may take to say its own.
    VersionsCheck(std::string version, apir::WorkerOptions worker,
                  std::chrono::seconds time = kChildTime)
        : version_(std::move(version)), worker_(std::move(worker)), time_(time) {}
    Findings examine() override;

 private:
    std::string version_;
    apir::WorkerOptions worker_;
    std::chrono::seconds time_;
};

}  // namespace virtgpu::doctor
