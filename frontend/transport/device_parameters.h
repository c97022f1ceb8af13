// What a virtio-gpu device can do, as the guest's kernel says.
#pragma once

#include <cstdint>

namespace virtgpu::frontend {

struct DeviceParameters {
    bool three_d = false;        // takes commands at all
    bool blobs = false;          // shared memory of any kind
    bool host_visible = false;   // the host's memory
    bool context_types = false;  // a context's capset can be chosen
    uint64_t capsets = 0;        // a bit for each, of numbers below 64; 0 from kernels before 5.16

    bool has_capset(uint32_t number) const { return (capsets >> number & 1) != 0; }
};

// `node` is an open render node of the virtio_gpu driver.
DeviceParameters device_parameters(int node);

}  // namespace virtgpu::frontend
