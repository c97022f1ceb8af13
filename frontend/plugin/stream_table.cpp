#include "frontend/plugin/stream_table.h"

#include <cstring>

#include "frontend/plugin/boundary.h"
#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

namespace {

// Random, as ggml wants it: names the kind of backend.
ggml_guid guid = {0x5e, 0x1c, 0x0f, 0x3a, 0x94, 0x6b, 0x4d, 0x87,
                  0xb2, 0x70, 0x1d, 0xe9, 0x63, 0xc8, 0x2f, 0xa5};

// A ggml_backend_t.
struct Backend {
    DeviceEntry& device;
    std::shared_ptr<Stream> remote;
};

// A point in a stream that was recorded last; none before that, and none of a stream that is gone:
// it has finished.
struct Event {
    std::weak_ptr<Stream> stream;
    uint64_t mark = 0;
};

Event& object(ggml_backend_event_t event) {
    return *static_cast<Event*>(event->context);
}

Backend& object(ggml_backend_t backend) {
    return *static_cast<Backend*>(backend->context);
}

wire::Log& log_of(ggml_backend_t backend) {
    return object(backend).device.log();
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
Stream* stream_of(ggml_backend_t backend) {
    return backend->iface.get_name == get_name ? object(backend).remote.get() : nullptr;
}

template <typename Function>
bool transfer(ggml_backend_t backend, Function function) {
    return transfer_or_lose(object(backend).remote->connection(),
                            [&] { return function(*object(backend).remote); });
}

void set_tensor_async(ggml_backend_t backend, ggml_tensor* tensor, const void* data, size_t offset,
                      size_t size) {
    transfer(backend, [&](Stream& stream) -> wire::Result<void> {
        return stream.set_tensor(*tensor, offset, {static_cast<const std::byte*>(data), size});
    });
}

void get_tensor_async(ggml_backend_t backend, const ggml_tensor* tensor, void* data, size_t offset,
                      size_t size) {
    const bool asked = transfer(backend, [&](Stream& stream) -> wire::Result<void> {
        return stream.get_tensor(*tensor, offset, {static_cast<std::byte*>(data), size});
    });
    if (!asked)
        std::memset(data, 0, size);
}

bool cpy_tensor_async(ggml_backend_t from_backend, ggml_backend_t to_backend,
                      const ggml_tensor* from, ggml_tensor* to) {
    Stream* const source = stream_of(from_backend);
    Stream* const reader = stream_of(to_backend);
    if (source == nullptr || reader == nullptr || &source->connection() != &reader->connection())
        return false;
    return at_boundary(log_of(to_backend), false, [&] {
        const auto copied = source->copy_tensor(*reader, *from, *to);
        return copied && *copied;
    });
}

void synchronize(ggml_backend_t backend) {
    // What fails loses the connection, which logs it.
    transfer(backend, [](Stream& stream) { return stream.finish(); });
}

ggml_status graph_compute(ggml_backend_t backend, ggml_cgraph* graph) {
    wire::Log& log = log_of(backend);
    return at_boundary(log, GGML_STATUS_FAILED, [&] {
        wire::Result<ggml_status> queued;
        try {
            queued = object(backend).remote->compute(*graph);
        } catch (const std::exception& exception) {
            // What the host has of the graph is uncertain.
            queued = object(backend).remote->connection().health().lose(exception.what());
        }
        if (queued)
            return *queued;
        // What makes a connection lost was logged when it happened.
        if (queued.error().fault() != wire::Fault::kLost)
            log.error("{} did not compute a graph: {}", get_name(backend),
                      queued.error().message());
        return GGML_STATUS_FAILED;
    });
}

void record_event(ggml_backend_t backend, ggml_backend_event_t event) {
    // Also of a lost stream: waiting for it gives zeroes.
    object(event).stream = object(backend).remote;
    object(event).mark = 0;
    transfer(backend, [&](Stream& stream) -> wire::Result<void> {
        object(event).mark = TRY(stream.mark());
        return {};
    });
}

void wait_for_event(ggml_backend_t backend, ggml_backend_event_t event) {
    const auto other = object(event).stream.lock();
    if (!other)
        return;
    transfer(backend, [&](Stream& stream) -> wire::Result<void> {
        if (&other->connection() == &stream.connection())
            return stream.come_after(*other, object(event).mark);
        // Hosts do not know of each other.
        return other->finish(object(event).mark);
    });
}

void optimize_graph(ggml_backend_t backend, ggml_cgraph* graph,
                    ggml_backend_graph_optimize_params* parameters) {
    attempt(log_of(backend), [&] { return object(backend).remote->optimize(*graph, parameters); });
}

// The connection lives as long as the stream.
std::shared_ptr<Stream> owned(std::unique_ptr<Stream> stream, std::shared_ptr<Device> device) {
    return {stream.release(), [device = std::move(device)](Stream* ended) { delete ended; }};
}

wire::Result<std::shared_ptr<Stream>> open_stream(DeviceEntry& entry) {
    return entry.use(
        [](const std::shared_ptr<Device>& device) -> wire::Result<std::shared_ptr<Stream>> {
            return owned(TRY(device->open_stream()), device);
        });
}

}  // namespace

void set_abort_callback(ggml_backend_t backend, ggml_abort_callback unwanted, void* data) {
    at_boundary(log_of(backend), 0, [&] {
        object(backend).remote->set_abort_callback(
            unwanted == nullptr ? std::function<bool()>()
                                : [unwanted, data] { return unwanted(data); });
        return 0;
    });
}

void set_threads(ggml_backend_t backend, int threads) {
    if (threads > 0)
        attempt(log_of(backend), [&] {
            return object(backend).remote->set_threads(static_cast<uint32_t>(threads));
        });
}

ggml_backend_event_t make_event(ggml_backend_dev_t device, wire::Log& log) {
    return at_boundary(log, ggml_backend_event_t{}, [&] {
        auto event = std::make_unique<Event>();
        auto* const made = new ggml_backend_event{device, event.get()};
        static_cast<void>(event.release());
        return made;
    });
}

void free_event(ggml_backend_dev_t /*device*/, ggml_backend_event_t event) {
    delete &object(event);
    delete event;
}

void synchronize_event(ggml_backend_dev_t /*device*/, ggml_backend_event_t event) {
    const auto stream = object(event).stream.lock();
    if (stream)
        transfer_or_lose(stream->connection(), [&] { return stream->finish(object(event).mark); });
}

ggml_backend_t make_ggml_backend(DeviceEntry& device) {
    wire::Log& log = device.log();
    return at_boundary(log, ggml_backend_t{}, [&]() -> ggml_backend_t {
        auto remote = open_stream(device);
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
        backend->iface.event_record = record_event;
        backend->iface.event_wait = wait_for_event;
        if ((*remote)->reorders_graphs())
            backend->iface.graph_optimize = optimize_graph;
        backend->device = device.get();
        backend->context = new Backend{device, std::move(*remote)};
        return backend.release();
    });
}

}  // namespace virtgpu::frontend
