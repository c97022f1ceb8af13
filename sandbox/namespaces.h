// Leaving the machine's network, IPC objects and, on request, its files.
#pragma once

#include "wire/result.h"

namespace virtgpu::sandbox {

struct Namespaces {
    bool network = true;  // leave it; connections that exist go on
    bool files = true;    // see an empty folder, read-only, instead of all files
};

// For a process with one thread. Where the user may not, a user namespace of its own is made first.
// Fault::kRefused where the system allows neither; then nothing has changed.
wire::Result<void> leave(const Namespaces& left);

}  // namespace virtgpu::sandbox
