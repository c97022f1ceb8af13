#include "backend/commands.h"

namespace virtgpu::backend {

namespace {

constexpr uint64_t kMaxGraphBytes =
    protocol::kMaxGraphTensors * (protocol::GraphTensor::kEncodedBytes + sizeof(uint32_t)) +
    2 * sizeof(uint32_t);

}  // namespace

Result<void> Commands::DoOpenStream(const protocol::OpenStreamRequest& request) {
    ggml_backend_dev_t const chosen = TRY(device(request.device));
    if (ring_ == 0 || stream_)
        return wire::fail(Fault::kPeer, "ring {} cannot become a stream{}", ring_,
                          stream_ ? " twice" : "");
    stream_ = TRY(Stream::open(chosen, threads_, session_->log()));
    return {};
}

Result<protocol::Graph> Commands::copy_graph(const protocol::RegionSpan& span) {
    if (span.size > kMaxGraphBytes)
        return wire::fail(Fault::kPeer, "a graph of {} bytes, the largest has {}", span.size,
                          kMaxGraphBytes);
    const auto region = TRY(session_->region(span.region));
    // The range is checked before memory is taken for it.
    TRY(region->bulk(span.offset, span.size));
    encoded_graph_.resize(span.size);
    TRY(region->copy_out(span.offset, encoded_graph_));
    return wire::decode_whole<protocol::Graph>(encoded_graph_);
}

Result<protocol::ComputeGraphReply> Commands::DoComputeGraph(
    const protocol::ComputeGraphRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    if (!stream_)
        return wire::fail(Fault::kPeer, "ring {} is no stream", ring_);
    HeldBuffers buffers(*session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto graph = TRY(validate::check_graph(validator, TRY(copy_graph(request.graph))));
    const protocol::GraphStatus status = TRY(stream_->compute(graph, buffers));
    if (status == protocol::GraphStatus::kSuccess) {
        session_->counters().graphs += 1;
        session_->counters().nodes += graph.nodes.size();
    }
    return protocol::ComputeGraphReply{status};
}

}  // namespace virtgpu::backend
