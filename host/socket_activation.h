// Sockets that systemd, or a program that works as it does, made for us before it started us
// (sd_listen_fds(3)).
#pragma once

#include <vector>

#include "wire/result.h"

namespace virtgpu::host {

// Their descriptors; none when the environment names none, or means another process. They become
// close-on-exec and the variables are unset: they are not for the programs that we start.
// Fault::kRefused when the variables make no sense.
wire::Result<std::vector<int>> take_activated_sockets();

}  // namespace virtgpu::host
