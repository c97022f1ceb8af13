// Whoever carries out upstream's level 1 commands of a context.
#pragma once

#include <cstdint>
#include <span>

#include "backend/export.h"
#include "wire/writer.h"

namespace virtgpu::backend {

struct ForwardRequest {
    uint32_t command = 0;
    std::span<const std::byte> arguments;
    uint64_t room = UINT64_MAX;  // bytes of regions that the guest may still make
};

// Lets no exception out.
class VIRTGPU_EXPORT ForwardService {
 public:
    virtual ~ForwardService() = default;

    // The return code of FORWARD. `reply` is cleared and gets the payload.
    virtual uint32_t serve(const ForwardRequest& request, wire::Writer& reply) = 0;
    // From any thread: what is being computed is broken off, where that is possible.
    virtual void stop() = 0;
};

}  // namespace virtgpu::backend
