#pragma once

#include <cstddef>
#include <span>

#include "frontend/ring_channel.h"

namespace virtgpu::frontend {

// Bytes of a tensor through a ring's staging area, in pieces: while the host works on one, the next
// is copied here. `from` has been read when upload returns, though the host may not have its bytes
// yet; `to` has been written when download returns.
wire::Result<void> upload(RingChannel& ring, const protocol::TensorData& tensor, size_t offset,
                          std::span<const std::byte> from);
wire::Result<void> download(RingChannel& ring, const protocol::TensorData& tensor, size_t offset,
                            std::span<std::byte> to);

}  // namespace virtgpu::frontend
