#include "frontend/remote_buffer.h"

#include <cstring>

#include "frontend/quietly.h"
#include "frontend/remote_device.h"
#include "frontend/transfer.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

// So many bytes are not queued behind what the host has to do: copying them twice takes longer than
// waiting.
constexpr size_t kWorthWaiting = size_t{64} * 1024;

}  // namespace

RemoteBuffer::~RemoteBuffer() {
    quietly([this] {
        device_.connection().give_up(handle_);
        static_cast<void>(commands().free_buffer({handle_}));
        // Others may want the memory before anybody here waits for something.
        static_cast<void>(commands().wake_host());
    });
}

HostConnection& RemoteBuffer::connection() {
    return device_.connection();
}

RingChannel& RemoteBuffer::commands() {
    return device_.connection().commands();
}

Result<TensorPlace> RemoteBuffer::place(const ggml_tensor& tensor) const {
    const auto base = reinterpret_cast<uintptr_t>(space_.base());
    const auto data = reinterpret_cast<uintptr_t>(tensor.data);
    const bool inside = data >= base && data - base <= size_;
    // A view without bytes may begin behind everything.
    if (!inside && ggml_nbytes(&tensor) == 0)
        return TensorPlace{};
    if (!inside)
        return wire::fail(Fault::kRefused, "the data of tensor '{}' is not in its buffer",
                          tensor.name);
    return TensorPlace{handle_, data - base, size_};
}

Result<protocol::TensorData> RemoteBuffer::data_of(const ggml_tensor& tensor) const {
    return describe_data(tensor, TRY(place(tensor)));
}

Result<void> RemoteBuffer::init_tensor(const ggml_tensor& tensor) {
    const TensorPlace placed = TRY(place(tensor));
    device_.connection().note_place(tensor, placed);
    // Backends prepare what lies behind the data of quantized tensors, where they asked for room.
    if (!ggml_is_quantized(tensor.type) || tensor.view_src != nullptr ||
        device_.alloc_size(tensor) <= ggml_nbytes(&tensor))
        return {};
    protocol::InitTensorRequest request;
    request.tensors.resize(1);
    describe_leaf(tensor, request.tensors[0].tensor);
    set_place(request.tensors[0].tensor, placed);
    return commands().init_tensor(request);
}

Result<void> RemoteBuffer::memset_tensor(const ggml_tensor& tensor, uint8_t value, size_t offset,
                                         size_t size) {
    if (size == 0)
        return {};
    TRY(device_.connection().health().check());
    if (!memory() || busy()) {
        TRY(commands().memset_tensor({TRY(data_of(tensor)), offset, size, value}));
        return {};
    }
    const uint64_t first = TRY(first_byte(tensor, offset, size));
    std::memset(TRY(memory()->bulk(first, size)).data(), value, size);
    return tell_change(first, size);
}

// Then a shared buffer must not be touched: what was queued before would come after.
bool RemoteBuffer::busy() const {
    return device_.connection().busy(handle_);
}

Result<void> RemoteBuffer::wait_to_reach() {
    return busy() ? device_.connection().finish(handle_) : Result<void>();
}

Result<uint64_t> RemoteBuffer::first_byte(const ggml_tensor& tensor, size_t offset,
                                          size_t size) const {
    const uint64_t first = TRY(place(tensor)).offset + offset;
    if (first > size_ || size > size_ - first)
        return wire::fail(Fault::kRefused, "bytes {}+{} of tensor '{}' are not in its buffer",
                          offset, size, tensor.name);
    return first;
}

Result<wire::BulkData> RemoteBuffer::shared_bytes(const ggml_tensor& tensor, size_t offset,
                                                  size_t size) const {
    return memory()->bulk(TRY(first_byte(tensor, offset, size)), size);
}

Result<void> RemoteBuffer::write(const ggml_tensor& tensor, size_t offset,
                                 std::span<const std::byte> from) {
    const uint64_t first = TRY(first_byte(tensor, offset, from.size()));
    std::memcpy(TRY(memory()->bulk(first, from.size())).data(), from.data(), from.size());
    return tell_change(first, from.size());
}

// The host may compute on a copy of weights in another layout.
Result<void> RemoteBuffer::tell_change(uint64_t offset, uint64_t size) {
    if (device_.copies_weights() && usage_ == GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        TRY(commands().changed_buffer({handle_, offset, size}));
    return {};
}

Result<void> RemoteBuffer::set_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<const std::byte> from) {
    if (from.empty())
        return {};
    TRY(device_.connection().health().check());
    const bool is_large = from.size() >= kWorthWaiting;
    if (memory() && is_large)
        TRY(wait_to_reach());
    if (memory() && (is_large || !busy()))
        return write(tensor, offset, from);
    if (is_large)
        if (const auto span = device_.connection().host_memory().find(from)) {
            // It is the caller's again when this returns.
            return commands().finish(
                TRY(commands().set_tensor({TRY(data_of(tensor)), offset, *span})));
        }
    return upload(commands(), TRY(data_of(tensor)), offset, from);
}

Result<void> RemoteBuffer::get_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<std::byte> to) {
    if (to.empty())
        return {};
    TRY(device_.connection().health().check());
    if (!memory()) {
        const protocol::TensorData data = TRY(data_of(tensor));
        if (const auto span = device_.connection().host_memory().find(to))
            return commands().finish(TRY(commands().get_tensor({data, offset, *span})));
        return download(commands(), data, offset, to);
    }
    TRY(wait_to_reach());
    std::memcpy(to.data(), TRY(shared_bytes(tensor, offset, to.size())).data(), to.size());
    return {};
}

Result<bool> RemoteBuffer::copy_tensor(const Buffer& source, const ggml_tensor& from,
                                       const ggml_tensor& to) {
    const auto request = TRY(copy_request(static_cast<const RemoteBuffer&>(source), from, to));
    if (request)
        TRY(commands().copy_tensor(*request));
    return request.has_value();
}

Result<std::optional<protocol::CopyTensorRequest>> RemoteBuffer::copy_request(
    const RemoteBuffer& source, const ggml_tensor& from, const ggml_tensor& to) const {
    const protocol::CopyTensorRequest request{TRY(source.data_of(from)), TRY(data_of(to))};
    const uint64_t first = request.source.data_offset;
    const uint64_t second = request.destination.data_offset;
    const bool overlap = request.source.buffer == request.destination.buffer &&
                         first < second + ggml_nbytes(&to) && second < first + ggml_nbytes(&from);
    if (request.source.type != request.destination.type ||
        request.source.ne != request.destination.ne ||
        request.source.nb != request.destination.nb || overlap)
        return std::optional<protocol::CopyTensorRequest>();
    return std::optional(request);
}

Result<void> RemoteBuffer::clear(uint8_t value) {
    TRY(device_.connection().health().check());
    if (!memory() || busy()) {
        TRY(commands().clear_buffer({handle_, value}));
        return {};
    }
    std::memset(space_.base(), value, size_);
    return tell_change(0, size_);
}

Result<void> RemoteBuffer::update_usage(ggml_backend_buffer_usage usage) {
    const auto value = static_cast<uint32_t>(usage);
    if (usage_.exchange(value, std::memory_order_relaxed) == value)
        return {};
    TRY(commands().set_buffer_usage({handle_, value}));
    return {};
}

}  // namespace virtgpu::frontend
