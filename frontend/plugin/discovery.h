#pragma once

#include <memory>
#include <vector>

#include "frontend/connection.h"
#include "wire/log.h"

namespace virtgpu::frontend {

// Connects to the host behind `socket_path`, or, where that is null, behind every virtio-gpu
// device. What does not work is left out, with a warning where the user can be expected to have
// wanted it.
std::vector<std::unique_ptr<Connection>> connect_to_hosts(const char* socket_path, wire::Log& log);

// Whether a host is to be expected there, without talking to it.
bool host_is_there(const char* socket_path, wire::Log& log);

}  // namespace virtgpu::frontend
