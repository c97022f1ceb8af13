#include <algorithm>

#include "backend/commands.h"

namespace virtgpu::backend {

namespace {

bool same_layout(const validate::ValidTensor& a, const validate::ValidTensor& b) {
    return a.type == b.type && a.ne == b.ne && a.nb == b.nb;
}

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return a < b + b_size && b < a + a_size;
}

// ggml copies with memcpy where it can, which may not copy bytes onto themselves. Shared buffers
// have bytes in common with others of their region.
bool overlap(const validate::ValidTensor& a, const validate::ValidTensor& b,
             const HeldBuffers& buffers) {
    if (a.place->buffer == b.place->buffer)
        return overlap(a.place->offset, a.extent, b.place->offset, b.extent);
    const auto seen_a = buffers.get(a.place->buffer).seen_at(a.place->offset);
    const auto seen_b = buffers.get(b.place->buffer).seen_at(b.place->offset);
    return seen_a && seen_b && overlap(*seen_a, a.extent, *seen_b, b.extent);
}

bool overlap(const Buffer& buffer, uint64_t offset, const wire::BulkData& data) {
    const auto seen = buffer.seen_at(offset);
    return seen &&
           overlap(*seen, data.size(), reinterpret_cast<uintptr_t>(data.data()), data.size());
}

void mark_changed(const protocol::TensorData& tensor, uint64_t offset, uint64_t size,
                  const HeldBuffers& buffers) {
    buffers.get(tensor.buffer).mark_changed(tensor.data_offset + offset, size);
}

}  // namespace

bool Commands::unfinished() const {
    return (stream_ && stream_->unfinished()) ||
           std::any_of(carriers_.begin(), carriers_.end(), [](const auto& carrier) {
               return carrier.second && carrier.second->unfinished();
           });
}

void Commands::finish() {
    if (stream_)
        stream_->finish();
    for (const auto& [device, carrier] : carriers_)
        if (carrier)
            carrier->finish();
}

Stream* Commands::carrier_of(const Buffer& buffer) {
    ggml_backend_dev_t const device = ggml_backend_buft_get_device(buffer.type());
    if (stream_ && stream_->device() == device)
        return stream_.get();
    // Backends assert that transfers name buffers of theirs. This one comes after what is queued.
    if (stream_)
        stream_->finish();
    if (device == nullptr || ggml_backend_buffer_is_host(buffer.get()))
        return nullptr;
    const auto known = carriers_.find(device);
    if (known != carriers_.end())
        return known->second.get();
    auto& carrier = carriers_[device];
    if (Stream::work_in_background(device))
        if (auto opened = Stream::open(device, threads_, *session_))
            carrier = std::move(*opened);
    return carrier.get();
}

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
    finish();
    const ggml_status status = ggml_backend_buffer_init_tensor(buffer.get(), tensor);
    if (status != GGML_STATUS_SUCCESS)
        return wire::fail(Fault::kRefused, "the tensor was not initialised: {}",
                          ggml_status_to_string(status));
    return {};
}

Result<ggml_tensor*> Commands::build_range(const protocol::TensorData& tensor, uint64_t offset,
                                           uint64_t size, HeldBuffers& buffers) {
    const auto vocabulary = TRY(session_->vocabulary());
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto valid = TRY(validator.check(tensor));
    if (offset > valid.extent || size > valid.extent - offset)
        return wire::fail(Fault::kPeer, "bytes {}+{} of a tensor of {}", offset, size,
                          valid.extent);
    return builder_.build_tensor(valid, buffers);
}

Result<wire::BulkData> Commands::bulk(const protocol::RegionSpan& span) {
    // Kept until the next: the guest may give the region back meanwhile.
    bulk_region_ = TRY(session_->region(span.region));
    return bulk_region_->bulk(span.offset, span.size);
}

template <typename Request>
Result<Commands::Transfer> Commands::transfer(const Request& request, HeldBuffers& buffers) {
    ggml_tensor* const tensor =
        TRY(build_range(request.tensor, request.offset, request.data.size, buffers));
    Transfer made{tensor, TRY(bulk(request.data)), buffers.all()};
    if (made.data.size() != 0 && overlap(buffers.get(request.tensor.buffer),
                                         request.tensor.data_offset + request.offset, made.data))
        return wire::fail(Fault::kPeer, "{} bytes of a buffer are to be copied onto themselves",
                          made.data.size());
    made.held.push_back(bulk_region_);
    return made;
}

Result<void> Commands::DoSetTensor(const protocol::SetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    const auto [tensor, data, held] = TRY(transfer(request, buffers));
    session_->counters().bytes_in += data.size();
    if (data.size() == 0)
        return {};
    if (Stream* const carrier = carrier_of(buffers.get(request.tensor.buffer)))
        carrier->set_tensor(tensor, request.offset, data, held);
    else
        ggml_backend_tensor_set(tensor, data.data(), request.offset, data.size());
    mark_changed(request.tensor, request.offset, data.size(), buffers);
    return {};
}

Result<void> Commands::DoGetTensor(const protocol::GetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    const auto [tensor, data, held] = TRY(transfer(request, buffers));
    session_->counters().bytes_out += data.size();
    if (data.size() == 0)
        return {};
    if (Stream* const carrier = carrier_of(buffers.get(request.tensor.buffer)))
        carrier->get_tensor(tensor, request.offset, data, held);
    else
        ggml_backend_tensor_get(tensor, data.data(), request.offset, data.size());
    return {};
}

Result<void> Commands::DoMemsetTensor(const protocol::MemsetTensorRequest& request) {
    HeldBuffers buffers(*session_);
    ggml_tensor* const tensor =
        TRY(build_range(request.tensor, request.offset, request.size, buffers));
    if (request.value > UINT8_MAX)
        return wire::fail(Fault::kPeer, "{} is no byte", request.value);
    finish();
    if (request.size == 0)
        return {};
    ggml_backend_tensor_memset(tensor, static_cast<uint8_t>(request.value), request.offset,
                               request.size);
    mark_changed(request.tensor, request.offset, request.size, buffers);
    return {};
}

Result<void> Commands::DoCopyTensor(const protocol::CopyTensorRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    HeldBuffers buffers(*session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto source = TRY(validator.check(request.source));
    const auto destination = TRY(validator.check(request.destination));
    // ggml pull request 1103: the destination was smaller than the source.
    if (!same_layout(source, destination))
        return wire::fail(Fault::kPeer, "a copy between tensors of different layouts");
    if (!source.place || !destination.place)
        return {};
    if (overlap(source, destination, buffers))
        return wire::fail(Fault::kPeer, "a copy between tensors that overlap");
    finish();
    GraphBuilder second;
    if (source.extent == 0)
        return {};
    ggml_backend_tensor_copy(builder_.build_tensor(source, buffers),
                             second.build_tensor(destination, buffers));
    mark_changed(request.destination, 0, destination.extent, buffers);
    return {};
}

}  // namespace virtgpu::backend
