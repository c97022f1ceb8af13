#pragma once

#include "device/apir/worker_options.h"
#include "doctor/check.h"

namespace virtgpu::doctor {

// Which ggml backends the worker finds, and what they have; or whether another library starts that
// computes instead.
class BackendsCheck : public Check {
 public:
    explicit BackendsCheck(apir::WorkerOptions worker) : worker_(std::move(worker)) {
        worker_.log_level = "warning";  // what it says is reported
    }
    Findings examine() override;

 private:
    Findings examine_backends() const;
    Findings examine_library() const;

    apir::WorkerOptions worker_;
};

}  // namespace virtgpu::doctor
