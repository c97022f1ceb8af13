// A program's log: one line per message on standard error, and in a file where one is named.
#pragma once

#include <memory>
#include <string>

#include "wire/log.h"
#include "wire/result.h"

namespace virtgpu::wire {

struct LogSettings {
    std::string level = "info";  // the lowest on standard error: debug, info, warning or error
    std::string pattern;         // spdlog's, for the whole line
    std::string file{};          // path, appended to at every level; empty: none
};

// Fault::kRefused when the file cannot be written. Several processes may write to one file.
Result<std::unique_ptr<Log>> make_program_log(const LogSettings& settings);

}  // namespace virtgpu::wire
