#include "backend/commands.h"
#include "backend/ring_server.h"

namespace virtgpu::backend {

namespace {

constexpr uint64_t kMaxGraphBytes =
    protocol::kMaxGraphTensors * (protocol::GraphTensor::kEncodedBytes + sizeof(uint32_t)) +
    2 * sizeof(uint32_t);

constexpr size_t kKeptBytes = size_t{4} << 20;

// How often a ring that waits for another looks whether it has to stop.
constexpr std::chrono::milliseconds kStopCheck(50);

}  // namespace

Result<protocol::OpenStreamReply> Commands::DoOpenStream(
    const protocol::OpenStreamRequest& request) {
    ggml_backend_dev_t const chosen = TRY(device(request.device));
    if (ring_ == 0 || stream_)
        return wire::fail(Fault::kPeer, "ring {} cannot become a stream{}", ring_,
                          stream_ ? " twice" : "");
    stream_ = TRY(Stream::open(chosen, threads_, *session_));
    return protocol::OpenStreamReply{stream_->reorders_graphs()};
}

Result<Stream*> Commands::stream() const {
    if (!stream_)
        return wire::fail(Fault::kPeer, "ring {} is no stream", ring_);
    return stream_.get();
}

Result<std::span<const std::byte>> Commands::copy_encoded(const protocol::RegionSpan& span) {
    if (span.size > kMaxGraphBytes)
        return wire::fail(Fault::kPeer, "a graph of {} bytes, the largest has {}", span.size,
                          kMaxGraphBytes);
    const auto region = TRY(session_->region(span.region));
    // The range is checked before memory is taken for it.
    TRY(region->bulk(span.offset, span.size));
    // A large graph's bytes are not kept for the next.
    if (encoded_.capacity() > kKeptBytes && span.size <= kKeptBytes)
        std::vector<std::byte>().swap(encoded_);
    encoded_.resize(span.size);
    TRY(region->copy_out(span.offset, encoded_));
    session_->counters().graph_bytes += span.size;
    return std::span<const std::byte>(encoded_);
}

// Of a graph that came. A guest may have foretold it and never want it: what is refused is said
// when it is to be run.
Result<void> Commands::until_run(Result<void> taken) {
    if (taken || taken.error().fault() != Fault::kRefused)
        return taken;
    session_->log().debug("context {} ring {}: {}", session_->context(), ring_,
                          taken.error().message());
    return {};
}

Result<void> Commands::DoDefineGraph(const protocol::DefineGraphRequest& request) {
    Stream* const stream = TRY(this->stream());
    const auto encoded = TRY(copy_encoded(request.encoded));
    return until_run(
        stream->define(request.graph, TRY(wire::decode_whole<protocol::Graph>(encoded))));
}

Result<void> Commands::DoEditGraph(const protocol::EditGraphRequest& request) {
    Stream* const stream = TRY(this->stream());
    const auto encoded = TRY(copy_encoded(request.encoded));
    return until_run(
        stream->edit(request.graph, TRY(wire::decode_whole<protocol::GraphEdit>(encoded))));
}

Result<void> Commands::DoRunGraph(const protocol::RunGraphRequest& request) {
    // A context that ends does not wait for its graphs.
    const AbortAsked abort = [this, abortable = request.abortable] {
        return (abortable && (*abort_)()) || (*stop_)() == Stop::kNow;
    };
    return TRY(stream())->run(request.graph, abort);
}

Result<void> Commands::DoSetThreads(const protocol::SetThreadsRequest& request) {
    Stream* const stream = TRY(this->stream());
    if (request.threads == 0)
        return wire::fail(Fault::kPeer, "no threads");
    stream->set_threads(request.threads);
    return {};
}

Result<protocol::OptimizeGraphReply> Commands::DoOptimizeGraph(
    const protocol::OptimizeGraphRequest& request) {
    Stream* const stream = TRY(this->stream());
    const auto encoded = TRY(copy_encoded(request.encoded));
    return stream->better_order(TRY(wire::decode_whole<protocol::Graph>(encoded)));
}

Result<void> Commands::DoDropGraph(const protocol::DropGraphRequest& request) {
    return TRY(stream())->drop(request.graph);
}

Result<void> Commands::DoAwaitRing(const protocol::AwaitRingRequest& request) {
    // Ring 0 is served by whoever needs it and so must never wait.
    TRY(stream());
    // For ring 0 there is the header of each request.
    if (request.ring == ring_ || request.ring == 0)
        return wire::fail(Fault::kPeer, "ring {} waits for ring {}", ring_, request.ring);
    const auto other = session_->ring(request.ring);
    // A ring that is closed has done all that it held.
    if (!other)
        return {};
    const auto progress = other->progress();
    while (!progress->wait_for(request.sequence, kStopCheck))
        if ((*stop_)() == Stop::kNow || session_->failed())
            return wire::fail(Fault::kLost, "the context ends");
    return {};
}

}  // namespace virtgpu::backend
