// The lists behind system_calls.h. Names that a machine's architecture does not have are left out.
#pragma once

#include <string_view>
#include <vector>

#include "sandbox/profile.h"

namespace virtgpu::sandbox {

// A call that fails with `error_number` instead of killing the process, because libraries try it
// and can do without.
struct RefusedCall {
    std::string_view name;
    int error_number;
};

std::vector<std::string_view> allowed_calls(Profile profile);
std::vector<RefusedCall> refused_calls(Profile profile);

}  // namespace virtgpu::sandbox
