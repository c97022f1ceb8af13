// A ggml buffer of a session.
#pragma once

#include <ggml-backend.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "wire/region.h"
#include "wire/result.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

class MemoryAccount;
class WeightCopies;

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
    // Where the processor sees a byte, which it may see elsewhere as well: in another buffer of the
    // same region, or in the region. None where it does not.
    std::optional<uintptr_t> seen_at(uint64_t offset) const {
        return seen_ == nullptr ? std::nullopt
                                : std::optional(reinterpret_cast<uintptr_t>(seen_) + offset);
    }

    void set_usage(ggml_backend_buffer_usage usage);
    // Those of the weights in this buffer; null where there may be none: the buffer is not of
    // weights, the processor cannot read it, or a graph computes into it.
    std::shared_ptr<WeightCopies> copies() const;
    // After bytes were written, other than by a graph.
    void mark_changed(uint64_t offset, uint64_t size) const;
    // A graph computes into the buffer, so copies would be out of date without anybody's saying so.
    void forbid_copies();

 private:
    // What the buffer lives on: of the two, the one that is not null.
    struct Ground {
        std::shared_ptr<MemoryAccount> account;
        std::shared_ptr<wire::Region> region;
        const std::byte* bytes = nullptr;  // of the region
    };
    Buffer(ggml_backend_buffer_t buffer, uint64_t size, Ground ground);

    void drop_copies();

    ggml_backend_buffer_t buffer_;
    std::byte* base_;
    const std::byte* seen_;
    uint64_t size_;
    Ground ground_;
    mutable std::mutex copies_mutex_;
    std::shared_ptr<WeightCopies> copies_;
    bool copies_forbidden_ = false;
};

}  // namespace virtgpu::backend
