#include "backend/commands.h"

namespace virtgpu::backend {

Result<protocol::AllocBufferReply> Commands::DoAllocBuffer(
    const protocol::AllocBufferRequest& request) {
    ggml_backend_dev_t const owner = TRY(device(request.device));
    auto buffer = TRY(Buffer::allocate(owner, request.size, session_->memory()));
    return protocol::AllocBufferReply{TRY(session_->buffers().add(std::move(buffer)))};
}

Result<protocol::ShareBufferReply> Commands::DoShareBuffer(
    const protocol::ShareBufferRequest& request) {
    ggml_backend_dev_t const owner = TRY(device(request.device));
    auto region = TRY(session_->region(request.memory.region));
    const wire::BulkData memory = TRY(region->bulk(request.memory.offset, request.memory.size));
    auto buffer = TRY(Buffer::share(owner, std::move(region), memory));
    return protocol::ShareBufferReply{TRY(session_->buffers().add(std::move(buffer)))};
}

Result<void> Commands::DoChangedBuffer(const protocol::ChangedBufferRequest& request) {
    const auto buffer = TRY(session_->buffers().find(request.buffer));
    if (request.offset > buffer->size() || request.size > buffer->size() - request.offset)
        return wire::fail(Fault::kPeer, "bytes {}+{} changed in a buffer of {}", request.offset,
                          request.size, buffer->size());
    buffer->mark_changed(request.offset, request.size);
    return {};
}

Result<void> Commands::DoFreeBuffer(const protocol::FreeBufferRequest& request) {
    TRY(session_->buffers().remove(request.buffer));
    return {};
}

Result<void> Commands::DoClearBuffer(const protocol::ClearBufferRequest& request) {
    const auto buffer = TRY(session_->buffers().find(request.buffer));
    if (request.value > UINT8_MAX)
        return wire::fail(Fault::kPeer, "{} is no byte", request.value);
    finish();
    ggml_backend_buffer_clear(buffer->get(), static_cast<uint8_t>(request.value));
    buffer->mark_changed(0, buffer->size());
    return {};
}

Result<void> Commands::DoSetBufferUsage(const protocol::SetBufferUsageRequest& request) {
    const auto buffer = TRY(session_->buffers().find(request.buffer));
    if (request.usage > GGML_BACKEND_BUFFER_USAGE_COMPUTE)
        return wire::fail(Fault::kPeer, "there is no buffer usage {}", request.usage);
    buffer->set_usage(static_cast<ggml_backend_buffer_usage>(request.usage));
    return {};
}

}  // namespace virtgpu::backend
