#include "frontend/connection.h"

#include <ggml.h>

#include <algorithm>
#include <bit>

#include "frontend/remote_device.h"
#include "frontend/vocabulary.h"
#include "wire/processors.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

// Tensor data goes through ring 0's staging area, piece by piece.
constexpr size_t kTransferBytes = size_t{4} << 20;

// A host may ask for less, or for none.
constexpr uint32_t kLongestPolling = 100000;

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
                                                     wire::Log& log, wire::Trace* trace) {
    auto apir = TRY(ApirClient::start(*transport, log));
    return open(std::move(transport), std::move(apir), log, trace);
}

Result<std::unique_ptr<Connection>> Connection::open(std::unique_ptr<Transport> transport,
                                                     std::unique_ptr<ApirClient> apir,
                                                     wire::Log& log, wire::Trace* trace) {
    std::unique_ptr<Connection> connection(
        new Connection(std::move(transport), std::move(apir), log, trace));
    TRY(connection->start());
    return connection;
}

Connection::Connection(std::unique_ptr<Transport> transport, std::unique_ptr<ApirClient> apir,
                       wire::Log& log, wire::Trace* trace)
    : log_(log),
      trace_(trace),
      transport_(std::move(transport)),
      host_memory_(*transport_),
      health_(log),
      apir_(std::move(apir)) {}

std::unique_ptr<Device> Connection::make_device(uint32_t index, std::string name) {
    return std::make_unique<RemoteDevice>(*this, index, std::move(name));
}

void Connection::free_host_memory(std::byte* memory) {
    // The host may still read or write there.
    static_cast<void>(finish_streams());
    host_memory_.free(memory);
}

void Connection::log_traffic() {
    log_.debug(
        "{}: so far {} graphs, {} sent whole and {} in part; {} requests, {} bytes; {} waits "
        "that slept {} times; {} doorbells, {} messages",
        transport_->name(), traffic_.graphs.load(), traffic_.defined.load(), traffic_.edited.load(),
        traffic_.requests.load(), traffic_.bytes.load(), traffic_.waits.load(),
        traffic_.sleeps.load(), traffic_.doorbells.load(), transport_->messages());
}

Result<void> Connection::start() {
    if (!graph_internals_.available())
        log_.warning(
            "ggml {} keeps its graphs in an unknown form: the host cannot fuse operations, "
            "and each graph is compared with those before",
            ggml_version());
    commands_ = TRY(RingChannel::open(services(), 0, {kTransferBytes, 0}));
    return say_hello();
}

// The host took its time somewhere between our question and now. Where that may have been the time
// here, both have the same clock.
void Connection::align_trace(wire::Trace::Clock::time_point asked) {
    using std::chrono::nanoseconds;
    const auto asking = wire::Trace::Clock::now() - asked;
    const nanoseconds middle = (asked + asking / 2).time_since_epoch();
    const nanoseconds shift = nanoseconds(static_cast<int64_t>(host_.clock)) - middle;
    if (trace_ != nullptr && std::chrono::abs(shift) > asking / 2)
        trace_->set_shift(shift);
}

Result<void> Connection::say_hello() {
    const auto asked = wire::Trace::Clock::now();
    host_ = TRY(commands_->hello(hello_request(VIRTGPU_VERSION)));
    align_trace(asked);
    for (const protocol::DeviceInfo& device : host_.devices)
        TRY(check_device(device));
    // Who polls on the only processor keeps all else of the guest from it, for up to 100 ms at a
    // time beside a GPU.
    polling_ = wire::usable_processors() == 1 ? 0 : std::min(host_.polling, kLongestPolling);
    log_.info(
        "{}: connected; here: frontend {}, ggml {}; host: {}, ggml {}, protocol {}, {} devices, "
        "polling for {} us",
        transport_->name(), VIRTGPU_VERSION, ggml_version(), host_.host, host_.ggml,
        host_.level2_version, host_.devices.size(), polling_.load());
    return {};
}

Result<std::byte*> Connection::allocate_host_memory(size_t size) {
    TRY(health_.check());
    return host_memory_.allocate(size);
}

Result<std::shared_ptr<RingChannel>> Connection::open_ring(RingChannel::Sizes sizes) {
    const uint32_t number = TRY(ring_numbers_.take());
    auto opened = RingChannel::open(services(), number, sizes, commands_.get());
    if (!opened) {
        ring_numbers_.give_back(number);
        return tl::unexpected(opened.error());
    }
    // The number is free when nobody waits for the ring any more.
    const std::shared_ptr<RingChannel> ring(opened->release(), [this, number](RingChannel* closed) {
        delete closed;
        ring_numbers_.give_back(number);
    });
    const std::lock_guard lock(streams_mutex_);
    streams_.insert(ring);
    return ring;
}

void Connection::close_ring(const std::shared_ptr<RingChannel>& ring) {
    // In a forked child another thread may hold the locks for ever.
    if (health_.is_copy())
        return;
    {
        const std::lock_guard lock(streams_mutex_);
        streams_.erase(ring);
    }
    log_traffic();
}

std::vector<std::shared_ptr<RingChannel>> Connection::streams() {
    const std::lock_guard lock(streams_mutex_);
    return {streams_.begin(), streams_.end()};
}

// Others go on meanwhile: the lock is not held while waiting.
Result<void> Connection::finish_streams() {
    TRY(health_.check());
    for (const auto& stream : streams())
        TRY(stream->finish());
    return {};
}

bool Connection::busy(const protocol::Handle& buffer) {
    if (!commands_->idle())
        return true;
    const std::lock_guard lock(streams_mutex_);
    return std::any_of(streams_.begin(), streams_.end(),
                       [&](const auto& stream) { return !stream->idle(buffer); });
}

Result<void> Connection::finish(const protocol::Handle& buffer) {
    TRY(health_.check());
    TRY(commands_->finish());
    for (const auto& stream : streams())
        TRY(stream->finish(stream->uses().last(buffer)));
    return {};
}

// In this order: what a stream foretells from now on does not name the buffer, and what it has sent
// before is waited for.
void Connection::give_up(const protocol::Handle& buffer) {
    // In a forked child another thread may hold the lock for ever.
    if (health_.is_copy())
        return;
    {
        const std::lock_guard lock(freeing_);
        buffers_freed_.fetch_add(1, std::memory_order_acq_rel);
    }
    static_cast<void>(finish_streams());
    for (const auto& stream : streams())
        stream->uses().forget(buffer);
}

void Connection::stop_watching(PlaceObserver& observer) {
    if (!health_.is_copy())
        place_observers_.remove(observer);
}

void Connection::note_place(const ggml_tensor& tensor, const TensorPlace& place) {
    if (!health_.is_copy())
        place_observers_.tell(tensor, place);
}

}  // namespace virtgpu::frontend
