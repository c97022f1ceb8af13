#pragma once

#include <cstdint>
#include <string>

#include "wire/result.h"

namespace virtgpu::host {

// "64M", "16G", "1T" or a number of bytes. Fault::kRefused for anything else.
wire::Result<uint64_t> parse_size(const std::string& text);

// What a device's shared memory window is made of: a power of two, as PCI wants it. At most half
// of the machine's memory, because a guest may fill all of it, and at most 64 GiB: larger windows
// need address bits that common guests do not have.
uint64_t default_window_size();
// Fault::kRefused when it is neither a power of two from 1 MiB to 1 TiB nor 0, for no window.
wire::Result<uint64_t> check_window_size(uint64_t size);

}  // namespace virtgpu::host
