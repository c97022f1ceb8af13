#include "frontend/remote_stream.h"

#include <cstring>

#include "frontend/quietly.h"
#include "frontend/view_operations.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

// Room for an encoded graph of about 7,000 tensors; larger ones get a region besides.
constexpr size_t kGraphBytes = size_t{2} << 20;

}  // namespace

Result<std::unique_ptr<RemoteStream>> RemoteStream::open(Connection& connection, uint32_t device) {
    auto stream =
        std::make_unique<RemoteStream>(connection, TRY(connection.open_ring(kGraphBytes)));
    TRY(stream->ring_->open_stream({device}));
    return stream;
}

RemoteStream::RemoteStream(Connection& connection, std::unique_ptr<RingChannel> ring)
    : connection_(connection), ring_(std::move(ring)), placer_(connection), encoder_(&placer_) {}

RemoteStream::~RemoteStream() {
    quietly([this] { connection_.close_ring(std::move(ring_)); });
}

Result<protocol::GraphStatus> RemoteStream::compute(ggml_cgraph& graph) {
    TRY(connection_.health().check());
    TRY(encode_graph(graph));
    return send(writer_.bytes());
}

Result<void> RemoteStream::encode_graph(ggml_cgraph& graph) {
    encoder_.clear();
    nodes_.clear();
    const int count = ggml_graph_n_nodes(&graph);
    for (int i = 0; i < count; ++i) {
        const ggml_tensor& node = *ggml_graph_node(&graph, i);
        // ggml's scheduler passes over views where it cuts graphs, so those of another backend's
        // data may be among our nodes. Nobody of ours reads them.
        if (computes_nothing(node.op) && !placer_.holds(node))
            continue;
        TRY(encoder_.add_node(node));
        nodes_.push_back(&node);
    }
    for (size_t i = 0; i < nodes_.size(); ++i)
        encoder_.set_total_uses(i, connection_.use_counts().of(graph, *nodes_[i]));
    writer_.clear();
    return encode(writer_, encoder_.graph());
}

Result<protocol::GraphStatus> RemoteStream::send(std::span<const std::byte> bytes) {
    const auto staging = ring_->lock_staging();
    if (bytes.size() <= staging.size()) {
        std::memcpy(staging.bytes(bytes.size()).data(), bytes.data(), bytes.size());
        return TRY(ring_->compute_graph({staging.span(bytes.size())})).status;
    }
    if (!large_graphs_ || large_graphs_->memory()->size() < bytes.size()) {
        large_graphs_.reset();
        large_graphs_ = TRY(ring_->create_region(bytes.size() + bytes.size() / 4));
    }
    TRY(large_graphs_->memory()->copy_in(0, bytes));
    return TRY(ring_->compute_graph({{large_graphs_->number(), 0, bytes.size()}})).status;
}

}  // namespace virtgpu::frontend
