#include <algorithm>
#include <chrono>

#include "backend/commands.h"
#include "backend/printable.h"

namespace virtgpu::backend {

namespace {

#ifndef VIRTGPU_VERSION
#define VIRTGPU_VERSION "unknown"
#endif

}  // namespace

Result<protocol::HelloReply> Commands::DoHello(const protocol::HelloRequest& request) {
    if (request.level2_version == 0)
        return wire::fail(Fault::kPeer, "there is no protocol version 0");
    TRY(session_->agree(
        TRY(validate::Vocabulary::negotiate(session_->catalogue().vocabulary(), request))));
    session_->log().info("context {}: guest has frontend {}, ggml {}; host has {}, ggml {}",
                         session_->context(), printable(request.frontend), printable(request.ggml),
                         VIRTGPU_VERSION, ggml_version());
    protocol::HelloReply reply;
    reply.level2_version = std::min(request.level2_version, protocol::kLevel2Version);
    reply.host = VIRTGPU_VERSION;
    reply.ggml = ggml_version();
    for (uint32_t i = 0; i < session_->catalogue().size(); ++i)
        reply.devices.push_back(describe(i));
    reply.polling = static_cast<uint32_t>(session_->guest_polling().count());
    reply.max_graphs = session_->limits().graphs;
    reply.max_tensors = session_->limits().graph_tensors;
    reply.clock = static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
    return reply;
}

protocol::DeviceInfo Commands::describe(uint32_t position) const {
    protocol::DeviceInfo info = session_->catalogue().describe(position);
    const auto memory = session_->memory_of(*session_->catalogue().device(position));
    info.memory_free = memory.memory_free;
    info.memory_total = memory.memory_total;
    return info;
}

Result<ggml_backend_dev_t> Commands::device(uint32_t position) const {
    TRY(session_->vocabulary());
    return session_->catalogue().device(position);
}

Result<protocol::GetDeviceMemoryReply> Commands::DoGetDeviceMemory(
    const protocol::GetDeviceMemoryRequest& request) {
    return session_->memory_of(TRY(device(request.device)));
}

Result<ggml_tensor*> Commands::build_node(const std::vector<protocol::GraphTensor>& tensors) {
    const auto vocabulary = TRY(session_->vocabulary());
    HeldBuffers buffers(*session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    return builder_.build_last(TRY(validate::check_bundle(validator, tensors)), buffers);
}

Result<protocol::SupportsOpReply> Commands::DoSupportsOp(
    const protocol::SupportsOpRequest& request) {
    ggml_backend_dev_t const asked = TRY(device(request.device));
    const auto node = build_node(request.tensors);
    // What the host's ggml does not know, it does not support.
    if (!node && node.error().fault() == Fault::kRefused)
        return protocol::SupportsOpReply{false};
    if (!node)
        return tl::unexpected(node.error());
    return protocol::SupportsOpReply{ggml_backend_dev_supports_op(asked, *node)};
}

Result<protocol::OffloadsOpReply> Commands::DoOffloadsOp(
    const protocol::OffloadsOpRequest& request) {
    ggml_backend_dev_t const asked = TRY(device(request.device));
    const auto node = build_node(request.tensors);
    if (!node && node.error().fault() == Fault::kRefused)
        return protocol::OffloadsOpReply{false};
    if (!node)
        return tl::unexpected(node.error());
    return protocol::OffloadsOpReply{ggml_backend_dev_offload_op(asked, *node)};
}

Result<protocol::GetAllocSizeReply> Commands::DoGetAllocSize(
    const protocol::GetAllocSizeRequest& request) {
    ggml_backend_buffer_type_t const type =
        ggml_backend_dev_buffer_type(TRY(device(request.device)));
    return protocol::GetAllocSizeReply{
        ggml_backend_buft_get_alloc_size(type, TRY(build_node(request.tensors)))};
}

}  // namespace virtgpu::backend
