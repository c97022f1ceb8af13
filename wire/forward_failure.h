// How upstream's frontend is told that a FORWARD command failed.
#pragma once

#include "wire/writer.h"

namespace virtgpu::wire {

// The handle of a buffer that was asked for and for which there was no memory. Upstream's frontend
// would not notice a 0; graphs that name this one are ALLOC_FAILED.
inline constexpr uint64_t kBufferWithoutMemory = UINT64_MAX;
// The handle of the one buffer type.
inline constexpr uint64_t kBufferType = 1;

// A return code makes upstream's frontend abort its application, so each of its commands has a
// reply that says as much as can be said: a graph that was not computed, a tensor that was not
// copied, a buffer without memory, a device without any. Fault::kRefused for other commands.
Result<void> encode_failure(uint32_t command, Writer& reply);

}  // namespace virtgpu::wire
