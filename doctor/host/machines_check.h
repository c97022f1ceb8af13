#pragma once

#include <optional>

#include "doctor/check.h"
#include "doctor/host/qemu_command_line.h"
#include "doctor/host/qemu_version.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor {

// Whether VMs are started in a way that our device can work with.
class MachinesCheck : public Check {
 public:
    // `command`: a QEMU command line to look at; empty: those of the QEMUs that run.
    MachinesCheck(std::vector<std::string> command, const SystemRoot& root)
        : command_(std::move(command)), root_(root) {}
    Findings examine() override;

 private:
    Findings examine_running() const;
    Findings examine_command() const;

    std::vector<std::string> command_;
    const SystemRoot& root_;
};

}  // namespace virtgpu::doctor
