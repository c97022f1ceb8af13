#include "doctor/host/limits_check.h"

#include <sys/resource.h>

#include "device/limits.h"
#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

// Of a region: its memfd and the pipe of its loan. Of a ring: two eventfds.
const uint64_t kNeeded = 2 * device::TenantLimits().regions + 2 * device::kMaxRingsOfTenant;

}  // namespace

uint64_t most_descriptors() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

Findings LimitsCheck::examine() {
    if (descriptors_ >= kNeeded)
        return {ok("limits", wire::format("{} open files", descriptors_))};
    return {warning(
        "limits",
        wire::format("at most {} open files: a tenant with many buffers is refused some",
                     descriptors_),
        wire::format("raise the hard limit to {} (LimitNOFILE= of a unit, ulimit -Hn)", kNeeded))};
}

}  // namespace virtgpu::doctor
