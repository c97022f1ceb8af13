#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <vector>

#include "frontend/apir_client.h"
#include "frontend/device.h"
#include "frontend/host_memory.h"
#include "frontend/place_observers.h"
#include "frontend/ring_channel.h"
#include "frontend/ring_numbers.h"
#include "frontend/session_health.h"
#include "frontend/traffic.h"
#include "frontend/transport/transport.h"
#include "ggml_private/graph_internals.h"
#include "wire/log.h"

namespace virtgpu::frontend {

// A context on one host: its transport, its ring 0 and the devices it offers. Thread safe; outlives
// its devices, buffers and streams.
class Connection : public HostConnection {
 public:
    // Shakes hands at both levels, which starts the host's worker and may take seconds.
    // `trace` may be null; it and the log outlive the connection.
    static wire::Result<std::unique_ptr<Connection>> open(std::unique_ptr<Transport> transport,
                                                          wire::Log& log,
                                                          wire::Trace* trace = nullptr);
    // The same after the handshake of level 1, which `apir` went through.
    static wire::Result<std::unique_ptr<Connection>> open(std::unique_ptr<Transport> transport,
                                                          std::unique_ptr<ApirClient> apir,
                                                          wire::Log& log, wire::Trace* trace);

    const Transport& transport() const { return *transport_; }
    const protocol::HelloReply& host() const { return host_; }
    SessionHealth& health() override { return health_; }
    uint32_t device_count() const override { return static_cast<uint32_t>(host_.devices.size()); }
    std::unique_ptr<Device> make_device(uint32_t index, std::string name) override;
    const ggml_private::GraphInternals& graph_internals() const { return graph_internals_; }
    Traffic& traffic() { return traffic_; }
    wire::Log& log() override { return log_; }
    HostMemory& host_memory() { return host_memory_; }
    // Fails where the session is lost: the guest's kernel would wait for a region for ever.
    wire::Result<std::byte*> allocate_host_memory(size_t size) override;
    void free_host_memory(std::byte* memory) override;
    // Ring 0, for everything but computing.
    RingChannel& commands() { return *commands_; }
    // A new ring for a stream. Its requests come after those sent on ring 0.
    wire::Result<std::shared_ptr<RingChannel>> open_ring(RingChannel::Sizes sizes);
    // Before the last reference to a ring that open_ring made is given up. Says in the log what the
    // connection did so far.
    void close_ring(const std::shared_ptr<RingChannel>& ring);

    // Waits for all that streams have queued.
    wire::Result<void> finish_streams();
    // Whether the host still works with a buffer, or on ring 0; and until it does not. What other
    // streams compute in other buffers is not waited for.
    bool busy(const protocol::Handle& buffer);
    wire::Result<void> finish(const protocol::Handle& buffer);
    // How many buffers were freed. What was known of tensors' places before is uncertain since.
    uint64_t buffers_freed() const { return buffers_freed_.load(std::memory_order_acquire); }
    // While it is held that number stays, and no buffer is freed that what is sent meanwhile names.
    std::shared_lock<std::shared_mutex> keep_buffers() { return std::shared_lock(freeing_); }
    // Before a buffer is freed: counts it, and waits for all that streams have queued.
    void give_up(const protocol::Handle& buffer);
    // Who is told of tensors that are given places; until it is taken out.
    void watch_places(PlaceObserver& observer) { place_observers_.add(observer); }
    void stop_watching(PlaceObserver& observer);
    void note_place(const ggml_tensor& tensor, const TensorPlace& place);

 private:
    Connection(std::unique_ptr<Transport> transport, std::unique_ptr<ApirClient> apir,
               wire::Log& log, wire::Trace* trace);
    wire::Result<void> start();
    void log_traffic();
    std::vector<std::shared_ptr<RingChannel>> streams();
    wire::Result<void> say_hello();
    void align_trace(wire::Trace::Clock::time_point asked);
    RingServices services() { return {*transport_, *apir_, health_, traffic_, polling_, trace_}; }

    wire::Log& log_;
    wire::Trace* trace_;
    std::unique_ptr<Transport> transport_;
    HostMemory host_memory_;
    PlaceObservers place_observers_;
    SessionHealth health_;
    ggml_private::GraphInternals graph_internals_;
    Traffic traffic_;
    std::atomic<uint32_t> polling_ = 0;  // microseconds
    std::shared_mutex freeing_;
    std::atomic<uint64_t> buffers_freed_ = 0;
    RingNumbers ring_numbers_;
    std::unique_ptr<ApirClient> apir_;
    std::unique_ptr<RingChannel> commands_;
    std::mutex streams_mutex_;
    std::set<std::shared_ptr<RingChannel>> streams_;
    protocol::HelloReply host_;
};

}  // namespace virtgpu::frontend
