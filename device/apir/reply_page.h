// Answering a level 1 command in its reply region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "device/region_memory.h"
#include "wire/result.h"

namespace virtgpu::apir {

// Writes `payload` from byte 4 and then, with release order, 1 + `code` at byte 0
// (docs/PROTOCOL.md, level 1). Fault::kPeer when the region's first piece is too small, which is a
// page at least. It is mapped for that moment only: replies are rare, and nothing is left that
// could go stale.
wire::Result<void> write_reply(const device::RegionMemory& region, uint32_t code,
                               std::span<const std::byte> payload);

}  // namespace virtgpu::apir
