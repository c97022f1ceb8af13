#pragma once

#include <ggml-backend.h>

#include <memory>
#include <vector>

#include "frontend/buffer_placer.h"
#include "frontend/connection.h"
#include "frontend/graph_encoder.h"

namespace virtgpu::frontend {

// A ggml_backend_t: one ring of the connection, on which the host computes graphs. For one thread
// at a time, as ggml's backends are.
class RemoteStream {
 public:
    static wire::Result<std::unique_ptr<RemoteStream>> open(Connection& connection,
                                                            uint32_t device);
    RemoteStream(Connection& connection, std::unique_ptr<RingChannel> ring);
    ~RemoteStream();
    RemoteStream(const RemoteStream&) = delete;
    RemoteStream& operator=(const RemoteStream&) = delete;

    // Computes and waits. Fault::kRefused for a graph that the host cannot compute.
    wire::Result<protocol::GraphStatus> compute(ggml_cgraph& graph);

 private:
    wire::Result<void> encode_graph(ggml_cgraph& graph);
    wire::Result<protocol::GraphStatus> send(std::span<const std::byte> bytes);

    Connection& connection_;
    std::unique_ptr<RingChannel> ring_;
    BufferPlacer placer_;
    GraphEncoder encoder_;
    std::vector<const ggml_tensor*> nodes_;  // those that the encoder was given
    wire::Writer writer_;
    // For graphs larger than the staging area; grows and stays, as they come again and again.
    std::unique_ptr<SharedRegion> large_graphs_;
};

}  // namespace virtgpu::frontend
