#pragma once

#include <string>

#include "doctor/check.h"
#include "frontend/transport/transport.h"

namespace virtgpu::doctor {

// Whether the device process and its worker answer, and how fast.
class HostAnswersCheck : public Check {
 public:
    // `socket_path`: of a container's host; empty: behind the VM's devices.
    explicit HostAnswersCheck(std::string socket_path) : socket_path_(std::move(socket_path)) {}
    Findings examine() override;

 private:
    Findings examine_socket() const;
    static Findings examine_devices();

    std::string socket_path_;
};

}  // namespace virtgpu::doctor
