#include "frontend/plugin/stream_table.h"

#include <cstring>

#include "ggml_private/ggml_plugin_abi.h"
#include "frontend/plugin/boundary.h"

namespace virtgpu::frontend {

namespace {

// Random, as ggml wants it: names the kind of backend.
ggml_guid guid = {0x5e, 0x1c, 0x0f, 0x3a, 0x94, 0x6b, 0x4d, 0x87,
                  0xb2, 0x70, 0x1d, 0xe9, 0x63, 0xc8, 0x2f, 0xa5};

struct Stream {
    RemoteDevice& device;
    std::unique_ptr<RemoteStream> remote;
};

Stream& object(ggml_backend_t backend) {
    return *static_cast<Stream*>(backend->context);
}

wire::Log& log_of(ggml_backend_t backend) {
    return object(backend).device.connection().log();
}

const char* get_name(ggml_backend_t backend) {
    return object(backend).device.name().c_str();
}

void free_backend(ggml_backend_t backend) {
    at_boundary(log_of(backend), 0, [&] {
        delete &object(backend);
        delete backend;
        return 0;
    });
}

// The stream of the same connection behind a backend; null when it is none of ours.
RemoteStream* stream_of(ggml_backend_t backend) {
    return backend->iface.get_name == get_name ? object(backend).remote.get() : nullptr;
}

template <typename Function>
bool transfer(ggml_backend_t backend, Function function) {
    return transfer_or_lose(object(backend).device.connection(),
                            [&] { return function(*object(backend).remote); });
}

void set_tensor_async(ggml_backend_t backend, ggml_tensor* tensor, const void* data, size_t offset,
                      size_t size) {
    transfer(backend, [&](RemoteStream& stream) -> wire::Result<void> {
        return stream.set_tensor(*tensor, offset, {static_cast<const std::byte*>(data), size});
    });
}

void get_tensor_async(ggml_backend_t backend, const ggml_tensor* tensor, void* data, size_t offset,
                      size_t size) {
    const bool asked = transfer(backend, [&](RemoteStream& stream) -> wire::Result<void> {
        return stream.get_tensor(*tensor, offset, {static_cast<std::byte*>(data), size});
    });
    if (!asked)
        std::memset(data, 0, size);
}

bool cpy_tensor_async(ggml_backend_t from_backend, ggml_backend_t to_backend,
                      const ggml_tensor* from, ggml_tensor* to) {
    RemoteStream* const source = stream_of(from_backend);
    RemoteStream* const reader = stream_of(to_backend);
    if (source == nullptr || reader == nullptr || &source->connection() != &reader->connection())
        return false;
    return at_boundary(log_of(to_backend), false, [&] {
        const auto copied = source->copy_tensor(*reader, *from, *to);
        return copied && *copied;
    });
}

void synchronize(ggml_backend_t backend) {
    // What fails loses the connection, which logs it.
    transfer(backend, [](RemoteStream& stream) { return stream.finish(); });
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
    wire::Log& log = log_of(backend);
    return at_boundary(log, GGML_STATUS_FAILED, [&] {
        wire::Result<void> queued;
        try {
            queued = object(backend).remote->compute(*graph);
        } catch (const std::exception& exception) {
            // What the host has of the graph is uncertain.
            queued = object(backend).device.connection().health().lose(exception.what());
        }
        if (queued)
            return GGML_STATUS_SUCCESS;
        // What makes a connection lost was logged when it happened.
        if (queued.error().fault() != wire::Fault::kLost)
            log.error("{} did not compute a graph: {}", get_name(backend),
                      queued.error().message());
        return GGML_STATUS_FAILED;
    });
}

}  // namespace

ggml_backend_t make_ggml_backend(RemoteDevice& device, ggml_backend_dev_t ggml_device) {
    wire::Log& log = device.connection().log();
    return at_boundary(log, ggml_backend_t{}, [&]() -> ggml_backend_t {
        auto remote = device.open_stream();
        if (!remote) {
            log.error("{} opens no stream: {}", device.name(), remote.error().message());
            return nullptr;
        }
        auto backend = std::make_unique<ggml_backend>();
        backend->guid = &guid;
        backend->iface.get_name = get_name;
        backend->iface.free = free_backend;
        backend->iface.set_tensor_async = set_tensor_async;
        backend->iface.get_tensor_async = get_tensor_async;
        backend->iface.cpy_tensor_async = cpy_tensor_async;
        backend->iface.synchronize = synchronize;
        backend->iface.graph_compute = graph_compute;
        backend->device = ggml_device;
        backend->context = new Stream{device, std::move(*remote)};
        return backend.release();
    });
}

}  // namespace virtgpu::frontend
