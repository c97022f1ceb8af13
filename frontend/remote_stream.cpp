#include "frontend/remote_stream.h"

#include <cstring>

#include "frontend/buffer_placer.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

// Room for an encoded graph of about 7,000 tensors; larger ones get a region of their own.
constexpr size_t kGraphBytes = size_t{2} << 20;

}  // namespace

Result<std::unique_ptr<RemoteStream>> RemoteStream::open(Connection& connection, uint32_t device) {
    auto stream =
        std::make_unique<RemoteStream>(connection, TRY(connection.open_ring(kGraphBytes)));
    TRY(stream->ring_->open_stream({device}));
    return stream;
}

RemoteStream::RemoteStream(Connection& connection, std::unique_ptr<RingChannel> ring)
    : connection_(connection),
      ring_(std::move(ring)),
      placer_(std::make_unique<BufferPlacer>(connection)),
      encoder_(placer_.get()) {}

RemoteStream::~RemoteStream() {
    connection_.close_ring(std::move(ring_));
}

Result<protocol::GraphStatus> RemoteStream::compute(ggml_cgraph& graph) {
    TRY(connection_.health().check());
    TRY(encode_graph(graph));
    return send(writer_.bytes());
}

Result<void> RemoteStream::encode_graph(ggml_cgraph& graph) {
    encoder_.clear();
    const int count = ggml_graph_n_nodes(&graph);
    for (int i = 0; i < count; ++i)
        TRY(encoder_.add_node(*ggml_graph_node(&graph, i)));
    for (int i = 0; i < count; ++i) {
        const auto uses = connection_.use_counts().of(graph, *ggml_graph_node(&graph, i));
        encoder_.set_total_uses(static_cast<size_t>(i), uses);
    }
    writer_.clear();
    return encode(writer_, encoder_.graph());
}

Result<protocol::GraphStatus> RemoteStream::send(std::span<const std::byte> bytes) {
    const auto staging = ring_->lock_staging();
    if (bytes.size() <= staging.size()) {
        std::memcpy(staging.bytes(bytes.size()).data(), bytes.data(), bytes.size());
        return TRY(ring_->compute_graph({staging.span(bytes.size())})).status;
    }
    const auto region = TRY(ring_->create_region(bytes.size()));
    TRY(region->memory()->copy_in(0, bytes));
    return TRY(ring_->compute_graph({{region->number(), 0, bytes.size()}})).status;
}

}  // namespace virtgpu::frontend
