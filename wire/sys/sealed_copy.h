// Bytes that travel as a file, where a message has no room for them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::wire {

// A file in memory that nobody can change.
Result<FileDescriptor> sealed_copy(std::span<const std::byte> bytes);
// All of such a file, if it has at most `limit` bytes.
Result<std::vector<std::byte>> read_sealed_copy(const FileDescriptor& file, size_t limit);

}  // namespace virtgpu::wire
