#include "frontend/remote_buffer.h"

#include <algorithm>
#include <cstring>

#include "frontend/quietly.h"
#include "frontend/remote_device.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

RemoteBuffer::~RemoteBuffer() {
    quietly([this] { static_cast<void>(commands().free_buffer({handle_})); });
}

RingChannel& RemoteBuffer::commands() {
    return device_.connection().commands();
}

Result<TensorPlace> RemoteBuffer::place(const ggml_tensor& tensor) const {
    const auto base = reinterpret_cast<uintptr_t>(addresses_.base());
    const auto data = reinterpret_cast<uintptr_t>(tensor.data);
    if (data < base || data - base > size_)
        return wire::fail(Fault::kRefused, "the data of tensor '{}' is not in its buffer",
                          tensor.name);
    return TensorPlace{handle_, data - base, size_};
}

Result<protocol::Tensor> RemoteBuffer::placed(const ggml_tensor& tensor) const {
    const TensorPlace place = TRY(this->place(tensor));
    protocol::Tensor description = describe_leaf(tensor);
    set_place(description, place);
    return description;
}

Result<void> RemoteBuffer::init_tensor(const ggml_tensor& tensor) {
    // Backends prepare what lies behind the data of quantized tensors, where they asked for room.
    if (!ggml_is_quantized(tensor.type) || tensor.view_src != nullptr ||
        device_.alloc_size(tensor) <= ggml_nbytes(&tensor))
        return {};
    protocol::InitTensorRequest request;
    request.tensors.resize(1);
    request.tensors[0].tensor = TRY(placed(tensor));
    return commands().init_tensor(request);
}

Result<void> RemoteBuffer::memset_tensor(const ggml_tensor& tensor, uint8_t value, size_t offset,
                                         size_t size) {
    if (size == 0)
        return {};
    return commands().memset_tensor({TRY(placed(tensor)), offset, size, value});
}

Result<void> RemoteBuffer::set_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<const std::byte> from) {
    if (from.empty())
        return {};
    TRY(device_.connection().health().check());
    protocol::SetTensorRequest request{TRY(placed(tensor)), offset, {}};
    const auto staging = commands().lock_staging();
    while (!from.empty()) {
        const auto piece = from.first(std::min(from.size(), staging.size()));
        std::memcpy(staging.bytes(piece.size()).data(), piece.data(), piece.size());
        request.data = staging.span(piece.size());
        TRY(commands().set_tensor(request));
        request.offset += piece.size();
        from = from.subspan(piece.size());
    }
    return {};
}

Result<void> RemoteBuffer::get_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<std::byte> to) {
    if (to.empty())
        return {};
    TRY(device_.connection().health().check());
    protocol::GetTensorRequest request{TRY(placed(tensor)), offset, {}};
    const auto staging = commands().lock_staging();
    while (!to.empty()) {
        const auto piece = to.first(std::min(to.size(), staging.size()));
        request.data = staging.span(piece.size());
        TRY(commands().get_tensor(request));
        std::memcpy(piece.data(), staging.bytes(piece.size()).data(), piece.size());
        request.offset += piece.size();
        to = to.subspan(piece.size());
    }
    return {};
}

Result<bool> RemoteBuffer::copy_tensor(const RemoteBuffer& source, const ggml_tensor& from,
                                       const ggml_tensor& to) {
    const auto reply = TRY(commands().copy_tensor({TRY(source.placed(from)), TRY(placed(to))}));
    return reply.copied;
}

Result<void> RemoteBuffer::clear(uint8_t value) {
    return commands().clear_buffer({handle_, value});
}

Result<void> RemoteBuffer::update_usage(ggml_backend_buffer_usage usage) {
    const auto value = static_cast<uint32_t>(usage);
    if (usage_.exchange(value, std::memory_order_relaxed) == value)
        return {};
    return commands().set_buffer_usage({handle_, value});
}

}  // namespace virtgpu::frontend
