// How many processors this process may use, on either side.
#pragma once

#include <string>

namespace virtgpu::wire {

// Those that it may run on, or fewer where a control group limits its time: a quota of 2.5
// processors counts as 3. At least 1.
unsigned usable_processors();

// The smallest quota of `group` and the groups around it, rounded up; 0 where none has one.
// `root` is where the control groups are mounted (version 2).
unsigned processor_quota(const std::string& root, std::string group);

}  // namespace virtgpu::wire
