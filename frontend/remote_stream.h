#pragma once

#include <ggml-backend.h>

#include <memory>
#include <vector>

#include "frontend/buffer_placer.h"
#include "frontend/connection.h"
#include "frontend/graph_encoder.h"
#include "frontend/graph_table.h"

namespace virtgpu::frontend {

// A ggml_backend_t: one ring of the connection, on which the host does in order what is queued.
// finish() waits; the others only where bytes are too many for the ring's areas. For one thread at
// a time, as ggml's backends are.
class RemoteStream {
 public:
    static wire::Result<std::unique_ptr<RemoteStream>> open(Connection& connection,
                                                            uint32_t device);
    RemoteStream(Connection& connection, std::unique_ptr<RingChannel> ring);
    ~RemoteStream();
    RemoteStream(const RemoteStream&) = delete;
    RemoteStream& operator=(const RemoteStream&) = delete;

    Connection& connection() { return connection_; }

    // Fault::kRefused for a graph that the host cannot be given. Whether it was computed shows in
    // finish().
    wire::Result<void> compute(ggml_cgraph& graph);
    // `from` has been read when it returns.
    wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<const std::byte> from);
    // `to` is written by the next finish() at the latest.
    wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<std::byte> to);
    // Copies after what is queued here; what `reader` queues from now on comes after the copy.
    // False when the host cannot copy.
    wire::Result<bool> copy_tensor(RemoteStream& reader, const ggml_tensor& from,
                                   const ggml_tensor& to);
    // Waits for all that is queued and delivers what was asked for; fails when any of it failed.
    wire::Result<void> finish();

 private:
    // Bytes on their way from the host, at the latest there when the ring is done.
    struct Delivery {
        wire::BulkData bytes;
        std::span<std::byte> to;
    };

    wire::Result<void> encode_graph(ggml_cgraph& graph);
    wire::Result<void> bring_to_host(const GraphTable::Plan& plan);
    template <typename Send>
    wire::Result<void> send_encoded(Send send);
    wire::Result<protocol::RegionSpan> place_large(std::span<const std::byte> bytes);

    Connection& connection_;
    std::unique_ptr<RingChannel> ring_;
    BufferPlacer placer_;
    GraphEncoder encoder_;
    GraphTable table_;
    std::vector<const ggml_tensor*> nodes_;  // those that the encoder was given
    wire::Writer writer_;
    // For graphs larger than the staging area; grows and stays.
    std::unique_ptr<SharedRegion> large_graphs_;
    std::vector<Delivery> deliveries_;
    size_t landing_used_ = 0;
};

}  // namespace virtgpu::frontend
