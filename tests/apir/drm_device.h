// The kernel's virtio_gpu driver, asked as upstream's frontend asks it.
#pragma once

#include <map>

#include "tests/apir/guest_device.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::test {

class DrmDevice : public GuestDevice {
 public:
    // The first virtio_gpu node; `capset` is 10, or 4 where upstream's is not told otherwise.
    explicit DrmDevice(uint32_t capset);

    Blob create_blob(size_t size) override;
    void destroy_blob(const Blob& blob) override;
    void submit(std::span<const std::byte> command) override;
    int32_t first_type() const override;

 private:
    const uint32_t capset_;
    wire::FileDescriptor node_;
    std::map<uint32_t, uint32_t> handles_;  // of resources
};

}  // namespace virtgpu::test
