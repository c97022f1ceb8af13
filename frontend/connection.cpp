#include "frontend/connection.h"

#include <ggml.h>

#include <bit>

#include "frontend/vocabulary.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

// Tensor data goes through ring 0's staging area, piece by piece.
constexpr size_t kTransferBytes = size_t{4} << 20;

// More than any backend asks for; a page of the largest usual kind.
constexpr uint64_t kLargestAlignment = uint64_t{2} << 20;

// ggml's allocator asserts what is checked here.
Result<void> check_device(const protocol::DeviceInfo& device) {
    const uint64_t alignment = device.buffer_type.alignment;
    if (!std::has_single_bit(alignment) || alignment > kLargestAlignment)
        return wire::fail(Fault::kPeer, "the host's device {} aligns its buffers to {} bytes",
                          device.name, alignment);
    if (device.buffer_type.max_size == 0)
        return wire::fail(Fault::kPeer, "the host's device {} has buffers of no size", device.name);
    return {};
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(std::unique_ptr<Transport> transport,
                                                     wire::Log& log) {
    std::unique_ptr<Connection> connection(new Connection(std::move(transport), log));
    TRY(connection->start());
    return connection;
}

Connection::Connection(std::unique_ptr<Transport> transport, wire::Log& log)
    : log_(log), transport_(std::move(transport)), health_(log) {}

Result<void> Connection::start() {
    if (!use_counts_.available())
        log_.warning("ggml {} keeps its graphs in an unknown form: the host cannot fuse operations",
                     ggml_version());
    apir_ = TRY(ApirClient::create(*transport_));
    const auto versions = TRY(apir_->handshake());
    log_.debug("{}: APIR {}.{}", transport_->name(), versions.major, versions.minor);
    TRY(apir_->load_library());
    commands_ = TRY(RingChannel::open(services(), 0, kTransferBytes));
    return say_hello();
}

Result<void> Connection::say_hello() {
    host_ = TRY(commands_->hello(hello_request(VIRTGPU_VERSION)));
    for (const protocol::DeviceInfo& device : host_.devices)
        TRY(check_device(device));
    log_.info(
        "{}: connected; here: frontend {}, ggml {}; host: {}, ggml {}, protocol {}, {} devices",
        transport_->name(), VIRTGPU_VERSION, ggml_version(), host_.host, host_.ggml,
        host_.level2_version, host_.devices.size());
    return {};
}

Result<std::unique_ptr<RingChannel>> Connection::open_ring(size_t staging_bytes) {
    const uint32_t number = TRY(ring_numbers_.take());
    auto ring = RingChannel::open(services(), number, staging_bytes);
    if (!ring)
        ring_numbers_.give_back(number);
    return ring;
}

void Connection::close_ring(std::unique_ptr<RingChannel> ring) {
    const uint32_t number = ring->number();
    ring.reset();
    ring_numbers_.give_back(number);
}

}  // namespace virtgpu::frontend
