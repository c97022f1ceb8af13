// The system calls that a process may still make (seccomp).
#pragma once

#include <string>
#include <vector>

#include "sandbox/profile.h"
#include "wire/result.h"

namespace virtgpu::sandbox {

// Names, as in the manual's section 2, without those that are refused.
std::vector<std::string> listed_system_calls(Profile profile);

// For all threads that there are and will be; needs forbid_new_privileges(). A call that is neither
// listed nor refused by an error number kills the process, or fails with EPERM in
// Profile::kGraphics, whose drivers are not ours to know. Fault::kSystem when the kernel takes no
// filters.
wire::Result<void> restrict_system_calls(Profile profile);

}  // namespace virtgpu::sandbox
