// The host-visible memory window of the device, as the transport provides it.
#pragma once

#include <cstdint>
#include <functional>

#include "device/sealed_memory.h"
#include "wire/result.h"

namespace virtgpu::gpu {

// Operations are carried out in the order of the calls, each after the one before is complete; so a
// place may be mapped anew as soon as its unmapping has been asked for.
class Window {
 public:
    using Finished = std::function<void(wire::Result<void>)>;

    virtual ~Window() = default;

    virtual uint64_t size() const = 0;  // bytes, 0: there is none
    // `finished` is called later, never from inside the call; not at all after forget_all().
    virtual void map(uint64_t offset, device::SharedMemory memory, Finished finished) = 0;
    virtual void unmap(uint64_t offset, device::SharedMemory memory, Finished finished) = 0;
    // The device is being reset: the VMM drops all mappings by itself.
    virtual void forget_all() = 0;
};

}  // namespace virtgpu::gpu
