// The host-visible memory window of the device, as the transport provides it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "device/sealed_memory.h"
#include "wire/result.h"

namespace virtgpu::gpu {

class Window {
 public:
    using Finished = std::function<void(wire::Result<void>)>;

    virtual ~Window() = default;

    virtual uint64_t size() const = 0;  // bytes, 0: there is none
    // Puts a file of that size where the guest sees it. `finished` is called later, never from
    // inside the call; not at all after forget().
    virtual void map(std::shared_ptr<const device::SealedFile> file, Finished finished) = 0;
    // The device is being reset: the VMM has dropped the mapping by itself.
    virtual void forget() = 0;
};

}  // namespace virtgpu::gpu
