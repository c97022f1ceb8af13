// Answering a level 1 command in its reply region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "device/sealed_memory.h"

namespace virtgpu::apir {

// Writes `payload` from byte 4 and then, with release order, 1 + `code` at byte 0
// (docs/PROTOCOL.md, level 1). Fault::kPeer when the region is too small. The region is mapped for
// that moment only: replies are rare, and nothing is left that could go stale.
wire::Result<void> write_reply(const device::SealedMemory& region, uint32_t code,
                               std::span<const std::byte> payload);

}  // namespace virtgpu::apir
