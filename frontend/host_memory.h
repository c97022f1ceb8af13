#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>

#include "frontend/transport/transport.h"
#include "protocol/generated/structures.h"

namespace virtgpu::frontend {

// Memory of the application that the host sees as well: it reads and writes there itself, without
// a copy on this side. Thread safe.
class HostMemory {
 public:
    explicit HostMemory(Transport& transport) : transport_(transport) {}

    // Page aligned. Fault::kRefused where the host has no such region.
    wire::Result<std::byte*> allocate(size_t size);
    // What allocate() returned, when the host has nothing to do with it any more.
    void free(const std::byte* base);

    // How the host knows these bytes; nothing where they are not all in one piece of this memory.
    std::optional<protocol::RegionSpan> find(std::span<const std::byte> bytes) const;

 private:
    Transport& transport_;
    mutable std::shared_mutex mutex_;
    std::map<const std::byte*, std::unique_ptr<SharedRegion>> regions_;  // by first byte
};

}  // namespace virtgpu::frontend
