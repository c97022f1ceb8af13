// What upstream's frontend has of a kernel, on whatever transport a test uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace virtgpu::test {

// A mappable HOST3D blob, mapped.
struct Blob {
    uint32_t resource = 0;
    std::byte* memory = nullptr;
    size_t size = 0;
};

// Failures throw: upstream's frontend would abort.
class GuestDevice {
 public:
    virtual ~GuestDevice() = default;

    // `size` is a multiple of 16 KiB.
    virtual Blob create_blob(size_t size) = 0;
    virtual void destroy_blob(const Blob& blob) = 0;
    // EXECBUFFER without a fence.
    virtual void submit(std::span<const std::byte> command) = 0;
    // What command types count from: 331 in contexts of the Venus capset.
    virtual int32_t first_type() const { return 0; }
};

}  // namespace virtgpu::test
