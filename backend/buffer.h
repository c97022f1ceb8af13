// A ggml buffer of a session.
#pragma once

#include <ggml-backend.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "wire/region.h"
#include "wire/result.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

class MemoryAccount;

// Owns the memory; shared by the session's table and whoever computes on it. Thread safe as far as
// the backend's buffer is.
class Buffer {
 public:
    // Fault::kRefused when the device or the account has no room.
    static Result<std::shared_ptr<Buffer>> allocate(ggml_backend_dev_t device, uint64_t size,
                                                    std::shared_ptr<MemoryAccount> account);
    // A buffer that is memory of the guest's as well: what the guest writes there needs no
    // transfer. Fault::kRefused where the device computes in memory of its own alone.
    static Result<std::shared_ptr<Buffer>> share(ggml_backend_dev_t device,
                                                 std::shared_ptr<wire::Region> region,
                                                 const wire::BulkData& memory);
    // Whether share() is of use: the device computes where the processor does.
    static bool can_share(ggml_backend_dev_t device);
    ~Buffer();
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    ggml_backend_buffer_t get() const { return buffer_; }
    ggml_backend_buffer_type_t type() const { return ggml_backend_buffer_get_type(buffer_); }
    uint64_t size() const { return size_; }
    // The backend's address of a byte; only the backend knows what it means.
    void* address(uint64_t offset) const { return base_ + offset; }

 private:
    // What the buffer lives on: of the two, the one that is not null.
    struct Ground {
        std::shared_ptr<MemoryAccount> account;
        std::shared_ptr<wire::Region> region;
    };
    Buffer(ggml_backend_buffer_t buffer, uint64_t size, Ground ground);

    ggml_backend_buffer_t buffer_;
    std::byte* base_;
    uint64_t size_;
    Ground ground_;
};

}  // namespace virtgpu::backend
