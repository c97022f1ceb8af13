// Something that is tried in a child process, because it may crash, hang or print.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::doctor {

struct ChildEnd {
    int status = 0;  // the exit status; 128 + N after signal N
    std::string output;
    std::string errors;
};

inline constexpr std::chrono::seconds kChildTime(30);

// The child's standard input is empty. Fault::kRefused when it runs longer than `time`, and is
// killed then. For processes without other threads.
wire::Result<ChildEnd> in_child(const std::function<int()>& body,
                                std::chrono::seconds time = kChildTime);
// The same for a program, which is looked for in $PATH; status 127 when there is none.
wire::Result<ChildEnd> run_program(const std::vector<std::string>& command,
                                   std::chrono::seconds time = kChildTime);

std::vector<std::string> lines_of(const std::string& text);

}  // namespace virtgpu::doctor
