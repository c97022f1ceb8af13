// The system's users and groups, by name or number.
#pragma once

#include <sys/types.h>

#include <string>

#include "wire/result.h"

namespace virtgpu::wire {

// Fault::kRefused for a name that the system does not know. Any number will do.
Result<uid_t> find_user(const std::string& name_or_number);
Result<gid_t> find_group(const std::string& name_or_number);

// "?" where a number has no name.
std::string user_name(uid_t user);
std::string group_name(gid_t group);

}  // namespace virtgpu::wire
