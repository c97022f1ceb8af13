// The command line of ggml-virtgpu-host.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "device/tenant.h"
#include "host/supervisor.h"

namespace virtgpu::host {

enum class Task { kServe, kListDevices, kExamine, kPrintCapabilities, kPrintVersion };

// Of `doctor`, beside what is to be served.
struct DoctorOptions {
    bool json = false;
    std::string qemu = "qemu-system-x86_64";
    std::vector<std::string> qemu_command;  // to look at; may be empty
};

struct Options {
    Task task = Task::kServe;
    ListenOptions listen;
    std::optional<int> connection;  // of a VMM, inherited
    device::TenantOptions tenant;
    sandbox::Mode sandbox = sandbox::Mode::kStrict;
    DoctorOptions doctor;
    std::string log_level = "info";
    std::string log_file;  // empty: none
};

// The options, or the exit status where the command line has been answered (--help) or refused; the
// answer has been printed then.
std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace virtgpu::host
