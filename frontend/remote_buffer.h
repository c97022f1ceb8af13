#pragma once

#include <ggml-backend.h>

#include <atomic>
#include <optional>
#include <span>

#include "frontend/buffer_space.h"
#include "frontend/connection.h"
#include "frontend/tensor_description.h"

namespace virtgpu::frontend {

class RemoteDevice;

// A buffer on the host. Where the host shares its memory, transfers are plain copies whenever the
// host has nothing to do with the buffer; else they are queued, and the buffer's base is reserved
// address space: only offsets from it mean anything.
class RemoteBuffer : public Buffer {
 public:
    RemoteBuffer(RemoteDevice& device, protocol::Handle handle, BufferSpace space, size_t size)
        : device_(device), handle_(handle), space_(std::move(space)), size_(size) {}
    ~RemoteBuffer() override;
    HostConnection& connection() override;
    RemoteBuffer(const RemoteBuffer&) = delete;
    RemoteBuffer& operator=(const RemoteBuffer&) = delete;

    RemoteDevice& device() { return device_; }
    void* base() const override { return space_.base(); }
    // Null for a buffer that only the host can reach.
    std::shared_ptr<wire::Region> memory() const { return space_.memory(); }
    // The region of that memory, which goes with the buffer.
    std::shared_ptr<SharedRegion> region() const { return space_.region(); }
    // Fault::kRefused for a tensor whose data is not in the buffer; no place for one without data.
    wire::Result<TensorPlace> place(const ggml_tensor& tensor) const;

    // Lets the host's backend prepare a tensor that was placed here.
    wire::Result<void> init_tensor(const ggml_tensor& tensor) override;
    wire::Result<void> memset_tensor(const ggml_tensor& tensor, uint8_t value, size_t offset,
                                     size_t size) override;
    wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<const std::byte> from) override;
    wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<std::byte> to) override;
    wire::Result<bool> copy_tensor(const Buffer& source, const ggml_tensor& from,
                                   const ggml_tensor& to) override;
    // The same for a stream to send; nothing where the host cannot copy.
    wire::Result<std::optional<protocol::CopyTensorRequest>> copy_request(
        const RemoteBuffer& source, const ggml_tensor& from, const ggml_tensor& to) const;
    // Bytes of a tensor in memory().
    wire::Result<wire::BulkData> shared_bytes(const ggml_tensor& tensor, size_t offset,
                                              size_t size) const;
    // Writes them, while the host does nothing with them.
    wire::Result<void> write(const ggml_tensor& tensor, size_t offset,
                             std::span<const std::byte> from);
    // For requests that name the tensor's data.
    wire::Result<protocol::TensorData> data_of(const ggml_tensor& tensor) const;
    wire::Result<void> clear(uint8_t value) override;
    // Tells the host, if that changed.
    wire::Result<void> update_usage(ggml_backend_buffer_usage usage) override;

 private:
    RingChannel& commands();
    bool busy() const;
    wire::Result<void> wait_to_reach();
    // Where bytes of a tensor begin in the buffer, in which all of them are.
    wire::Result<uint64_t> first_byte(const ggml_tensor& tensor, size_t offset, size_t size) const;
    wire::Result<void> tell_change(uint64_t offset, uint64_t size);

    RemoteDevice& device_;
    protocol::Handle handle_;
    BufferSpace space_;
    size_t size_;
    std::atomic<uint32_t> usage_ = GGML_BACKEND_BUFFER_USAGE_ANY;
};

}  // namespace virtgpu::frontend
