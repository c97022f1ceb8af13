#pragma once

#include <memory>

#include "frontend/apir_client.h"
#include "frontend/ring_channel.h"
#include "frontend/ring_numbers.h"
#include "frontend/session_health.h"
#include "frontend/transport/transport.h"
#include "frontend/use_counts.h"
#include "wire/log.h"

namespace virtgpu::frontend {

// A context on one host: its transport, its ring 0 and the devices it offers. Thread safe; outlives
// its devices, buffers and streams.
class Connection {
 public:
    // Shakes hands at both levels, which starts the host's worker and may take seconds.
    static wire::Result<std::unique_ptr<Connection>> open(std::unique_ptr<Transport> transport,
                                                          wire::Log& log);

    const Transport& transport() const { return *transport_; }
    const protocol::HelloReply& host() const { return host_; }
    SessionHealth& health() { return health_; }
    const UseCounts& use_counts() const { return use_counts_; }
    wire::Log& log() { return log_; }
    // Ring 0, for everything but computing.
    RingChannel& commands() { return *commands_; }
    // A new ring with a staging area of `staging_bytes`.
    wire::Result<std::unique_ptr<RingChannel>> open_ring(size_t staging_bytes);
    // Instead of deleting a ring that open_ring made.
    void close_ring(std::unique_ptr<RingChannel> ring);

 private:
    Connection(std::unique_ptr<Transport> transport, wire::Log& log);
    wire::Result<void> start();
    wire::Result<void> say_hello();
    RingServices services() { return {*transport_, *apir_, health_}; }

    wire::Log& log_;
    std::unique_ptr<Transport> transport_;
    SessionHealth health_;
    UseCounts use_counts_;
    RingNumbers ring_numbers_;
    std::unique_ptr<ApirClient> apir_;
    std::unique_ptr<RingChannel> commands_;
    protocol::HelloReply host_;
};

}  // namespace virtgpu::frontend
