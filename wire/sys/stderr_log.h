// A program's log: one line per message on standard error.
#pragma once

#include <memory>
#include <string>

#include "wire/log.h"

namespace virtgpu::wire {

// `level`: the lowest that is written: debug, info, warning or error. `pattern`: spdlog's, for the
// whole line.
std::unique_ptr<Log> make_stderr_log(const std::string& level, const std::string& pattern);

}  // namespace virtgpu::wire
