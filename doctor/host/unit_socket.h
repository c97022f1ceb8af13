// The sockets of host/systemd's units, which systemd makes and not ggml-virtgpu-host.
#pragma once

#include <optional>
#include <string>

namespace virtgpu::doctor {

// "ggml-virtgpu-machines.socket" for /run/ggml-virtgpu/machines.sock; none for a path of somebody
// else's.
std::optional<std::string> unit_of_socket(const std::string& path);

}  // namespace virtgpu::doctor
