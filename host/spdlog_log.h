// The program's log: one line per message on standard error.
#pragma once

#include <memory>
#include <string>

#include "wire/log.h"

namespace virtgpu::host {

// `level`: debug, info, warning or error.
std::unique_ptr<wire::Log> make_log(const std::string& level);

}  // namespace virtgpu::host
