#include "frontend/plugin/buffer_table.h"

#include <cstring>

#include "frontend/plugin/boundary.h"
#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

namespace {

OwnedBuffer& owned(ggml_backend_buffer_t buffer) {
    return *static_cast<OwnedBuffer*>(buffer->context);
}

Buffer& object(ggml_backend_buffer_t buffer) {
    return *owned(buffer).buffer;
}

wire::Log& log_of(ggml_backend_buffer_t buffer) {
    return object(buffer).connection().log();
}

void free_buffer(ggml_backend_buffer_t buffer) {
    at_boundary(log_of(buffer), 0, [&] {
        delete &owned(buffer);
        return 0;
    });
}

void* get_base(ggml_backend_buffer_t buffer) {
    return object(buffer).base();
}

ggml_status init_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor) {
    const bool done = attempt(log_of(buffer), [&]() -> wire::Result<void> {
        TRY(object(buffer).update_usage(buffer->usage));
        return object(buffer).init_tensor(*tensor);
    });
    return done ? GGML_STATUS_SUCCESS : GGML_STATUS_FAILED;
}

template <typename Function>
bool transfer(ggml_backend_buffer_t buffer, Function function) {
    return transfer_or_lose(object(buffer).connection(), [&]() -> wire::Result<void> {
        TRY(object(buffer).update_usage(buffer->usage));
        return function(object(buffer));
    });
}

void memset_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor, uint8_t value, size_t offset,
                   size_t size) {
    transfer(buffer,
             [&](Buffer& remote) { return remote.memset_tensor(*tensor, value, offset, size); });
}

void set_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor, const void* data, size_t offset,
                size_t size) {
    transfer(buffer, [&](Buffer& remote) {
        return remote.set_tensor(*tensor, offset, {static_cast<const std::byte*>(data), size});
    });
}

void get_tensor(ggml_backend_buffer_t buffer, const ggml_tensor* tensor, void* data, size_t offset,
                size_t size) {
    const bool done = transfer(buffer, [&](Buffer& remote) {
        return remote.get_tensor(*tensor, offset, {static_cast<std::byte*>(data), size});
    });
    // The caller reads it in any case.
    if (!done)
        std::memset(data, 0, size);
}

bool cpy_tensor(ggml_backend_buffer_t buffer, const ggml_tensor* from, ggml_tensor* to) {
    Buffer* const source = from->buffer ? buffer_behind(from->buffer) : nullptr;
    if (source == nullptr || &source->connection() != &object(buffer).connection())
        return false;
    return at_boundary(log_of(buffer), false, [&] {
        const auto copied = object(buffer).copy_tensor(*source, *from, *to);
        return copied && *copied;
    });
}

void clear(ggml_backend_buffer_t buffer, uint8_t value) {
    transfer(buffer, [&](Buffer& remote) { return remote.clear(value); });
}

}  // namespace

ggml_backend_buffer_t make_ggml_buffer(ggml_backend_buffer_type_t type, OwnedBuffer buffer,
                                       size_t size) {
    ggml_backend_buffer_i table{};
    table.free_buffer = free_buffer;
    table.get_base = get_base;
    table.init_tensor = init_tensor;
    table.memset_tensor = memset_tensor;
    table.set_tensor = set_tensor;
    table.get_tensor = get_tensor;
    table.cpy_tensor = cpy_tensor;
    table.clear = clear;
    auto context = std::make_unique<OwnedBuffer>(std::move(buffer));
    return ggml_backend_buffer_init(type, table, context.release(), size);
}

Buffer* buffer_behind(ggml_backend_buffer_t buffer) {
    return buffer->iface.free_buffer == free_buffer ? &object(buffer) : nullptr;
}

}  // namespace virtgpu::frontend
