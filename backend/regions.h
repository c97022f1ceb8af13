// How a session finds the shared memory that its guest names.
#pragma once

#include <cstdint>
#include <memory>

#include "wire/region.h"

namespace virtgpu::backend {

// Implemented by whoever is told of regions (the worker, or virglrenderer's callbacks). Thread
// safe.
class Regions {
 public:
    virtual ~Regions() = default;
    // Fault::kPeer when the context has no such region.
    virtual wire::Result<std::shared_ptr<wire::Region>> find(uint32_t region) const = 0;
};

}  // namespace virtgpu::backend
