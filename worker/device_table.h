// The host's devices, for people.
#pragma once

#include <string>
#include <vector>

#include "protocol/generated/structures.h"

namespace virtgpu::worker {

// One line per device under a heading, columns aligned, ends with a newline.
std::string device_table(const std::vector<protocol::DeviceInfo>& devices);

}  // namespace virtgpu::worker
