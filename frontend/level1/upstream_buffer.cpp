#include "frontend/level1/upstream_buffer.h"

#include <algorithm>
#include <cstring>

#include "frontend/plugin/buffer_table.h"
#include "frontend/quietly.h"
#include "frontend/tensor_buffer.h"
#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

// The region goes after it, and not before the host has let go of it.
UpstreamBuffer::~UpstreamBuffer() {
    quietly([this] { static_cast<void>(host_.commands().buffer_free_buffer({handle_})); });
}

Result<ForwardPlace> UpstreamBuffer::place(const ggml_tensor& tensor) const {
    const auto base = reinterpret_cast<uintptr_t>(space_.base());
    const auto data = reinterpret_cast<uintptr_t>(tensor.data);
    if (data < base || data - base > size_)
        return wire::fail(Fault::kRefused, "the data of tensor '{}' is not in its buffer",
                          tensor.name);
    return ForwardPlace{handle_, data - base};
}

Result<wire::BulkData> UpstreamBuffer::shared_bytes(const ggml_tensor& tensor, size_t offset,
                                                    size_t size) const {
    const uint64_t first = TRY(place(tensor)).offset + offset;
    if (first > size_ || size > size_ - first)
        return wire::fail(Fault::kRefused, "bytes {}+{} of tensor '{}' are not in its buffer",
                          offset, size, tensor.name);
    return space_.memory()->bulk(first, size);
}

template <typename Fill>
Result<void> UpstreamBuffer::upload(const ggml_tensor& tensor, size_t offset, size_t size,
                                    Fill fill) {
    TRY(host_.health().check());
    if (space_.memory() != nullptr) {
        fill(TRY(shared_bytes(tensor, offset, size)).data(), 0, size);
        return {};
    }
    const auto description = TRY(forward_tensor(tensor, TRY(place(tensor))));
    for (size_t done = 0; done < size;) {
        const size_t piece = std::min(size - done, UpstreamHost::kTransferBytes);
        const auto exchange = TRY(host_.exchange(piece));
        fill(TRY(exchange.memory().bulk(0, piece)).data(), done, piece);
        TRY(host_.commands().buffer_set_tensor(
            {handle_, description, exchange.region(), offset + done, piece}));
        done += piece;
    }
    return {};
}

Result<void> UpstreamBuffer::memset_tensor(const ggml_tensor& tensor, uint8_t value, size_t offset,
                                           size_t size) {
    return upload(tensor, offset, size, [value](std::byte* to, size_t /*from*/, size_t count) {
        std::memset(to, value, count);
    });
}

Result<void> UpstreamBuffer::set_tensor(const ggml_tensor& tensor, size_t offset,
                                        std::span<const std::byte> from) {
    return upload(tensor, offset, from.size(), [from](std::byte* to, size_t first, size_t count) {
        std::memcpy(to, from.data() + first, count);
    });
}

Result<void> UpstreamBuffer::get_tensor(const ggml_tensor& tensor, size_t offset,
                                        std::span<std::byte> to) {
    TRY(host_.health().check());
    if (space_.memory() != nullptr) {
        const auto shared = TRY(shared_bytes(tensor, offset, to.size()));
        std::memcpy(to.data(), shared.data(), to.size());
        return {};
    }
    const auto description = TRY(forward_tensor(tensor, TRY(place(tensor))));
    for (size_t done = 0; done < to.size();) {
        const size_t piece = std::min(to.size() - done, UpstreamHost::kTransferBytes);
        const auto exchange = TRY(host_.exchange(piece));
        TRY(host_.commands().buffer_get_tensor(
            {handle_, description, exchange.region(), offset + done, piece}));
        std::memcpy(to.data() + done, TRY(exchange.memory().bulk(0, piece)).data(), piece);
        done += piece;
    }
    return {};
}

Result<bool> UpstreamBuffer::copy_tensor(const Buffer& source, const ggml_tensor& from,
                                         const ggml_tensor& to) {
    const auto& there = static_cast<const UpstreamBuffer&>(source);
    return TRY(host_.commands().buffer_cpy_tensor(
                   {handle_, TRY(forward_tensor(from, TRY(there.place(from)))),
                    TRY(forward_tensor(to, TRY(place(to))))}))
        .copied;
}

Result<void> UpstreamBuffer::clear(uint8_t value) {
    TRY(host_.health().check());
    if (space_.memory() == nullptr)
        return host_.commands().buffer_clear({handle_, value});
    std::memset(space_.base(), value, size_);
    return {};
}

UpstreamBuffer* buffer_on(const UpstreamHost& host, const ggml_tensor& tensor) {
    ggml_backend_buffer_t const buffer = ggml_buffer_of(tensor);
    Buffer* const ours = buffer == nullptr ? nullptr : buffer_behind(buffer);
    return ours != nullptr && &ours->connection() == &host ? static_cast<UpstreamBuffer*>(ours)
                                                           : nullptr;
}

Result<ForwardPlace> place_on(const UpstreamHost& host, const ggml_tensor& tensor) {
    const UpstreamBuffer* const buffer = buffer_on(host, tensor);
    if (buffer != nullptr)
        return buffer->place(tensor);
    if (ggml_nbytes(&tensor) == 0)
        return ForwardPlace{};
    return wire::fail(Fault::kRefused, "tensor '{}' is not in a buffer of this device",
                      tensor.name);
}

}  // namespace virtgpu::frontend
