// The rights that come with a user.
#pragma once

#include <cstdint>

#include "wire/result.h"

namespace virtgpu::sandbox {

// From now on no program that this process starts gains rights.
wire::Result<void> forbid_new_privileges();

// All of them, for good; also from those that may be had again.
wire::Result<void> drop_capabilities();

// Memory of guests must not be written to disk when a process dies.
wire::Result<void> forbid_core_files();

// Memory of this process alone, shared memory not counted.
wire::Result<void> limit_memory(uint64_t bytes);

}  // namespace virtgpu::sandbox
