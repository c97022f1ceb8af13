// The command line of ggml-virtgpu-host.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "device/tenant.h"
#include "host/supervisor.h"

namespace virtgpu::host {

enum class Task { kServe, kListDevices, kPrintCapabilities, kPrintVersion };

struct Options {
    Task task = Task::kServe;
    ListenOptions listen;
    std::optional<int> connection;  // of a VMM, inherited
    device::TenantOptions tenant;
    sandbox::Mode sandbox = sandbox::Mode::kStrict;
    std::string log_level = "info";
    std::string log_file;  // empty: none
};

// The options, or the exit status where the command line has been answered (--help) or refused; the
// answer has been printed then.
std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace virtgpu::host
