#include "backend/commands.h"

namespace virtgpu::backend {

namespace {

bool same_layout(const validate::ValidTensor& a, const validate::ValidTensor& b) {
    return a.type == b.type && a.ne == b.ne && a.nb == b.nb;
}

// ggml copies with memcpy where it can.
bool overlap(const validate::ValidTensor& a, const validate::ValidTensor& b) {
    return a.place->buffer == b.place->buffer && a.place->offset < b.place->offset + b.extent &&
           b.place->offset < a.place->offset + a.extent;
}

}  // namespace

Result<void> Commands::DoInitTensor(const protocol::InitTensorRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    HeldBuffers buffers(*session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto graph = TRY(validate::check_placed_tensor(validator, request.tensors));
    const validate::ValidTensor& last = graph.tensors.back().tensor;
    if (!last.place)
        return {};
    ggml_tensor* const tensor = builder_.build_last(graph, buffers);
    const Buffer& buffer = buffers.get(last.place->buffer);
    // A backend may write what it pads a tensor with, beyond the tensor's own bytes.
    const uint64_t padded = tensor->view_src != nullptr
                                ? last.extent
                                : ggml_backend_buffer_get_alloc_size(buffer.get(), tensor);
    if (padded > buffer.size() - last.place->offset)
        return wire::fail(Fault::kRefused, "a tensor needs {} bytes from {} in a buffer of {}",
                          padded, last.place->offset, buffer.size());
    const ggml_status status = ggml_backend_buffer_init_tensor(buffer.get(), tensor);
    if (status != GGML_STATUS_SUCCESS)
        return wire::fail(Fault::kRefused, "the tensor was not initialised: {}",
                          ggml_status_to_string(status));
    return {};
}

Result<ggml_tensor*> Commands::build_range(const protocol::Tensor& tensor, uint64_t offset,
                                           uint64_t size, HeldBuffers& buffers) {
    const auto vocabulary = TRY(session_->vocabulary());
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto valid = TRY(validator.check(tensor, validate::Placement::kRequired));
    if (offset > valid.extent || size > valid.extent - offset)
        return wire::fail(Fault::kPeer, "bytes {}+{} of a tensor of {}", offset, size,
                          valid.extent);
    return builder_.build_tensor(valid, buffers);
}

Result<void> Commands::DoSetTensor(const protocol::SetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    ggml_tensor* const tensor =
        TRY(build_range(request.tensor, request.offset, request.data.size, buffers));
    const auto region = TRY(session_->region(request.data.region));
    const wire::BulkData data = TRY(region->bulk(request.data.offset, request.data.size));
    if (data.size() != 0)
        ggml_backend_tensor_set(tensor, data.data(), request.offset, data.size());
    session_->counters().bytes_in += data.size();
    return {};
}

Result<void> Commands::DoGetTensor(const protocol::GetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    ggml_tensor* const tensor =
        TRY(build_range(request.tensor, request.offset, request.data.size, buffers));
    const auto region = TRY(session_->region(request.data.region));
    const wire::BulkData data = TRY(region->bulk(request.data.offset, request.data.size));
    if (data.size() != 0)
        ggml_backend_tensor_get(tensor, data.data(), request.offset, data.size());
    session_->counters().bytes_out += data.size();
    return {};
}

Result<void> Commands::DoMemsetTensor(const protocol::MemsetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    ggml_tensor* const tensor =
        TRY(build_range(request.tensor, request.offset, request.size, buffers));
    if (request.value > UINT8_MAX)
        return wire::fail(Fault::kPeer, "{} is no byte", request.value);
    if (request.size != 0)
        ggml_backend_tensor_memset(tensor, static_cast<uint8_t>(request.value), request.offset,
                                   request.size);
    return {};
}

Result<protocol::CopyTensorReply> Commands::DoCopyTensor(
    const protocol::CopyTensorRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    HeldBuffers buffers(*session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto source = TRY(validator.check(request.source, validate::Placement::kRequired));
    const auto destination =
        TRY(validator.check(request.destination, validate::Placement::kRequired));
    // ggml pull request 1103: the destination was smaller than the source.
    if (!same_layout(source, destination) || !source.place || !destination.place ||
        overlap(source, destination))
        return protocol::CopyTensorReply{false};
    GraphBuilder second;
    if (source.extent != 0)
        ggml_backend_tensor_copy(builder_.build_tensor(source, buffers),
                                 second.build_tensor(destination, buffers));
    return protocol::CopyTensorReply{true};
}

}  // namespace virtgpu::backend
