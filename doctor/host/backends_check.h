#pragma once

#include "device/apir/worker_options.h"
#include "doctor/check.h"

namespace virtgpu::doctor {

// Which ggml backends the worker finds, and what they have.
class BackendsCheck : public Check {
 public:
    explicit BackendsCheck(apir::WorkerOptions worker) : worker_(std::move(worker)) {
        worker_.log_level = "warning";  // what it says is reported
    }
    Findings examine() override;

 private:
    apir::WorkerOptions worker_;
};

}  // namespace virtgpu::doctor
