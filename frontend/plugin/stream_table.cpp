#include "frontend/plugin/stream_table.h"

#include "frontend/ggml_plugin_abi.h"
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

// Every call waits for the host, so nothing is ever pending.
void synchronize(ggml_backend_t /*backend*/) {}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
    wire::Log& log = log_of(backend);
    return at_boundary(log, GGML_STATUS_FAILED, [&] {
        const auto status = object(backend).remote->compute(*graph);
        if (status)
            return static_cast<ggml_status>(*status);
        // What makes a connection lost was logged when it happened.
        if (status.error().fault() != wire::Fault::kLost)
            log.error("{} did not compute a graph: {}", get_name(backend),
                      status.error().message());
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
        backend->iface.synchronize = synchronize;
        backend->iface.graph_compute = graph_compute;
        backend->device = ggml_device;
        backend->context = new Stream{device, std::move(*remote)};
        return backend.release();
    });
}

}  // namespace virtgpu::frontend
