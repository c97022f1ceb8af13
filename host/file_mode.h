#pragma once

#include <sys/types.h>

#include <string>

#include "wire/result.h"

namespace virtgpu::host {

// "0660" or "660", as chmod(1) takes it. Fault::kRefused for anything else.
wire::Result<mode_t> parse_file_mode(const std::string& text);

}  // namespace virtgpu::host
