#pragma once

#include "device/apir/worker_options.h"
#include "doctor/check.h"
#include "doctor/child.h"

namespace virtgpu::doctor {

// Which ggml backends the worker finds, and what they have; or whether another library starts that
// computes instead.
class BackendsCheck : public Check {
 public:
    // `time`: how long the backends may take to start.
    explicit BackendsCheck(apir::WorkerOptions worker, std::chrono::seconds time = kChildTime)
        : worker_(std::move(worker)), time_(time) {
        worker_.log_level = "warning";  // what it says is reported
    }
    Findings examine() override;

 private:
    Findings examine_backends() const;
    Findings examine_library() const;

    apir::WorkerOptions worker_;
    std::chrono::seconds time_;
};

}  // namespace virtgpu::doctor
