#pragma once

#include <sys/types.h>

#include <cstdint>

#include "doctor/check.h"

namespace virtgpu::doctor {

// Whether a tenant can have the regions and rings that it may have.
class LimitsCheck : public Check {
 public:
    // `descriptors`: how many this process may have open at most (RLIMIT_NOFILE's hard limit).
    explicit LimitsCheck(uint64_t descriptors) : descriptors_(descriptors) {}
    Findings examine() override;

 private:
    uint64_t descriptors_;
};

uint64_t most_descriptors();

}  // namespace virtgpu::doctor
