// A buffer of a host that speaks level 1 only.
#pragma once

#include "frontend/buffer_space.h"
#include "frontend/device.h"
#include "frontend/level1/forward_tensors.h"
#include "frontend/level1/upstream_host.h"

namespace virtgpu::frontend {

// Where the host computes in memory that both sides see, transfers are plain copies: it does
// nothing between two commands. Elsewhere each is a command, and the base is reserved address
// space.
class UpstreamBuffer : public Buffer {
 public:
    UpstreamBuffer(UpstreamHost& host, uint64_t handle, BufferSpace space, size_t size)
        : host_(host), handle_(handle), space_(std::move(space)), size_(size) {}
    ~UpstreamBuffer() override;
    UpstreamBuffer(const UpstreamBuffer&) = delete;
    UpstreamBuffer& operator=(const UpstreamBuffer&) = delete;

    HostConnection& connection() override { return host_; }
    void* base() const override { return space_.base(); }
    // Fault::kRefused for a tensor whose data is not in the buffer.
    wire::Result<ForwardPlace> place(const ggml_tensor& tensor) const;

    wire::Result<void> init_tensor(const ggml_tensor& /*tensor*/) override { return {}; }
    wire::Result<void> memset_tensor(const ggml_tensor& tensor, uint8_t value, size_t offset,
                                     size_t size) override;
    wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<const std::byte> from) override;
    wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<std::byte> to) override;
    wire::Result<bool> copy_tensor(const Buffer& source, const ggml_tensor& from,
                                   const ggml_tensor& to) override;
    wire::Result<void> clear(uint8_t value) override;
    // Level 1 does not tell.
    wire::Result<void> update_usage(ggml_backend_buffer_usage /*usage*/) override { return {}; }

 private:
    wire::Result<wire::BulkData> shared_bytes(const ggml_tensor& tensor, size_t offset,
                                              size_t size) const;
    // Sends bytes in pieces, which `fill` writes: to where, from which one on, how many.
    template <typename Fill>
    wire::Result<void> upload(const ggml_tensor& tensor, size_t offset, size_t size, Fill fill);

    UpstreamHost& host_;
    uint64_t handle_;
    BufferSpace space_;
    size_t size_;
};

// The place of a tensor's data; none for a tensor without bytes. For graphs of `host`.
wire::Result<ForwardPlace> place_on(const UpstreamHost& host, const ggml_tensor& tensor);
// The buffer that the data is in; null when it is none of the host's.
UpstreamBuffer* buffer_on(const UpstreamHost& host, const ggml_tensor& tensor);

}  // namespace virtgpu::frontend
