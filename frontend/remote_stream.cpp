#include "frontend/remote_stream.h"

#include <array>
#include <cstring>

#include "frontend/quietly.h"
#include "frontend/remote_buffer.h"
#include "frontend/transfer.h"
#include "frontend/view_operations.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

// Room for encoded graphs of about 3,500 tensors; larger ones get a region besides.
constexpr size_t kStagingBytes = size_t{2} << 20;
constexpr size_t kLargestPiece = kStagingBytes / 2;

}  // namespace

Result<std::unique_ptr<RemoteStream>> RemoteStream::open(Connection& connection, uint32_t device) {
    auto ring = TRY(connection.open_ring({kStagingBytes, Deliveries::kLandingBytes}));
    const auto opened = ring->open_stream({device});
    if (!opened) {
        connection.close_ring(ring);
        return tl::unexpected(opened.error());
    }
    return std::make_unique<RemoteStream>(connection, std::move(ring), opened->reorders_graphs);
}

RemoteStream::RemoteStream(Connection& connection, std::shared_ptr<RingChannel> ring,
                           bool reorders_graphs)
    : connection_(connection),
      ring_(std::move(ring)),
      placer_(connection),
      encoder_(&placer_),
      table_({connection.host().max_graphs, connection.host().max_tensors}),
      forecast_(placer_, connection.graph_internals()),
      reorders_graphs_(reorders_graphs),
      deliveries_(*ring_) {
    if (reorders_graphs_)
        connection_.watch_places(forecast_);
}

RemoteStream::~RemoteStream() {
    quietly([this] { connection_.stop_watching(forecast_); });
    // Not finish(): whoever asked for bytes and did not wait may be gone, and its memory with it.
    // All streams: another may wait for a request of this ring, whose number is given to a new one.
    quietly([this] { static_cast<void>(connection_.finish_streams()); });
    quietly([this] { connection_.close_ring(ring_); });
}

Result<ggml_status> RemoteStream::compute(ggml_cgraph& graph) {
    TRY(connection_.health().check());
    const wire::TraceSpan span(ring_->trace(), "graph_compute", 0, ring_->number(), ring_->sent());
    TRY(deliveries_.send_postponed());
    const uint32_t number = TRY(number_of(graph));
    const uint64_t sequence = TRY(ring_->run_graph({number, /*abortable=*/unwanted_ != nullptr}));
    ring_->uses().note(table_.buffers(number), sequence);
    connection_.traffic().graphs.fetch_add(1, std::memory_order_relaxed);
    return unwanted_ ? wait_or_abort(sequence) : GGML_STATUS_SUCCESS;
}

Result<uint32_t> RemoteStream::number_of(ggml_cgraph& graph) {
    const uint64_t freed = connection_.buffers_freed();
    const uint64_t uid = connection_.graph_internals().uid(graph);
    if (const auto known = table_.find(uid, freed))
        return *known;
    const bool is_there = forecast_.foretold(graph, freed);
    forecast_.forget();
    if (is_there) {
        table_.set_uid(forecast_number_, uid);
        return forecast_number_;
    }
    TRY(encode_graph(graph));
    return bring_to_host(encoder_.graph(), uid, freed);
}

Result<ggml_status> RemoteStream::wait_or_abort(uint64_t sequence) {
    if (TRY(ring_->finish_unless(sequence, unwanted_)))
        return GGML_STATUS_SUCCESS;
    ring_->ask_to_abort(sequence);
    TRY(ring_->finish(sequence));
    return GGML_STATUS_ABORTED;
}

Result<void> RemoteStream::set_threads(uint32_t threads) {
    TRY(ring_->set_threads({threads}));
    return {};
}

Result<void> RemoteStream::optimize(ggml_cgraph& graph,
                                    const ggml_backend_graph_optimize_params* parameters) {
    TRY(connection_.health().check());
    forecast_.forget();
    TRY(order_encoder_.encode(graph, connection_.graph_internals()));
    TRY(orders_.apply(order_encoder_, graph, parameters,
                      [&](std::span<const std::byte> bytes) { return ask_for_order(bytes); }));
    // Where the device has nothing to do, nothing is gained.
    if (ring_->idle())
        return {};
    auto expected = forecast_.expect(graph, connection_.buffers_freed());
    // It may name data of other backends, which are passed over when it is to be computed.
    if (!expected && expected.error().fault() != wire::Fault::kRefused)
        return expected;
    return {};
}

Result<protocol::OptimizeGraphReply> RemoteStream::ask_for_order(
    std::span<const std::byte> encoded) {
    protocol::OptimizeGraphReply order;
    TRY(send_encoded(encoded, [&](const protocol::RegionSpan& span) -> Result<uint64_t> {
        order = TRY(ring_->optimize_graph({span}));
        return ring_->sent();
    }));
    return order;
}

Result<void> RemoteStream::encode_graph(ggml_cgraph& graph) {
    encoder_.clear();
    const int count = ggml_graph_n_nodes(&graph);
    for (int i = 0; i < count; ++i) {
        const ggml_tensor& node = *ggml_graph_node(&graph, i);
        // ggml's scheduler passes over views where it cuts graphs, so those of another backend's
        // data may be among our nodes. Nobody of ours reads them.
        if (computes_nothing(node.op) && placer_.buffer_of(node) == nullptr)
            continue;
        TRY(encoder_.add_node(node));
    }
    encoder_.count_uses(graph, connection_.graph_internals());
    return {};
}

Result<uint32_t> RemoteStream::bring_to_host(protocol::Graph& graph, uint64_t uid, uint64_t freed) {
    const size_t tensors = graph.tensors.size();
    const auto plan = table_.add(graph, uid, freed);
    if (!plan)
        return wire::fail(wire::Fault::kRefused, "the host takes no graph of {} tensors", tensors);
    // The table says now that the host has it.
    if (const auto brought = carry_out(*plan); !brought)
        return connection_.health().lose(brought.error().message());
    return plan->number;
}

Result<void> RemoteStream::bring_forecast() {
    // In a forked child the locks may be held for ever.
    if (!connection_.health().check())
        return {};
    const auto kept = connection_.keep_buffers();
    const uint64_t freed = connection_.buffers_freed();
    protocol::Graph* const graph = forecast_.take(freed);
    if (graph == nullptr)
        return {};
    const auto number = bring_to_host(*graph, /*uid=*/0, freed);
    if (number) {
        forecast_number_ = *number;
        return {};
    }
    // Whoever has it computed is told.
    forecast_.forget();
    return number.error().fault() == wire::Fault::kRefused ? Result<void>()
                                                           : tl::unexpected(number.error());
}

Result<void> RemoteStream::finish() {
    auto brought = bring_forecast();
    // In any case: what was asked for is delivered, or zeroes instead, and never later than now.
    TRY(deliveries_.finish());
    return brought;
}

Result<void> RemoteStream::carry_out(const GraphTable::Plan& plan) {
    for (const uint32_t dropped : plan.to_be_dropped)
        TRY(ring_->drop_graph({dropped}));
    writer_.clear();
    switch (plan.step) {
        case GraphTable::Plan::Step::kNothing:
            return {};
        case GraphTable::Plan::Step::kEdit:
            connection_.traffic().edited.fetch_add(1, std::memory_order_relaxed);
            TRY(encode(writer_, plan.edit));
            return send_encoded(writer_.bytes(), [&](const protocol::RegionSpan& span) {
                return ring_->edit_graph({plan.number, span});
            });
        case GraphTable::Plan::Step::kDefine:
            connection_.traffic().defined.fetch_add(1, std::memory_order_relaxed);
            TRY(encode(writer_, table_.graph(plan.number)));
            return send_encoded(writer_.bytes(), [&](const protocol::RegionSpan& span) {
                return ring_->define_graph({plan.number, span});
            });
    }
    return {};
}

template <typename Send>
Result<void> RemoteStream::send_encoded(std::span<const std::byte> bytes, Send send) {
    connection_.traffic().bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    if (bytes.size() > kLargestPiece) {
        TRY(send(TRY(place_large(bytes))));
        return {};
    }
    auto staging = ring_->lock_staging();
    const auto piece = TRY(staging.reserve(bytes.size()));
    std::memcpy(piece.bytes.data(), bytes.data(), bytes.size());
    const Result<uint64_t> sent = send(piece.span);
    // The host may have read it and refused.
    staging.in_use_until(sent ? *sent : ring_->sent());
    TRY(Result<uint64_t>(sent));
    return {};
}

Result<protocol::RegionSpan> RemoteStream::place_large(std::span<const std::byte> bytes) {
    // The host may still read the graph before.
    TRY(ring_->finish());
    if (!large_graphs_ || large_graphs_->memory()->size() < bytes.size()) {
        large_graphs_.reset();
        large_graphs_ = TRY(ring_->create_region(bytes.size() + bytes.size() / 4));
    }
    TRY(large_graphs_->memory()->copy_in(0, bytes));
    return protocol::RegionSpan{large_graphs_->number(), 0, bytes.size()};
}

Result<void> RemoteStream::set_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<const std::byte> from) {
    if (from.empty())
        return {};
    TRY(connection_.health().check());
    RemoteBuffer& buffer = *TRY(placer_.use_buffer_of(tensor));
    if (buffer.memory() && idle()) {
        // The bytes may be among those that were asked for.
        TRY(finish());
        return buffer.write(tensor, offset, from);
    }
    TRY(deliveries_.send_postponed());
    const protocol::TensorData data = TRY(buffer.data_of(tensor));
    // The caller leaves it alone until it has waited for the stream.
    if (const auto span = connection_.host_memory().find(from)) {
        ring_->uses().note(data.buffer, TRY(ring_->set_tensor({data, offset, *span})));
        return {};
    }
    TRY(upload(*ring_, data, offset, from));
    ring_->uses().note(data.buffer, ring_->sent());
    return {};
}

Result<void> RemoteStream::get_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<std::byte> to) {
    if (to.empty())
        return {};
    TRY(connection_.health().check());
    const RemoteBuffer& buffer = *TRY(placer_.use_buffer_of(tensor));
    const Deliveries::Part part{TRY(buffer.data_of(tensor)), offset};
    // Where ring 0 still writes it, waiting for this stream alone would be too early to fetch it.
    if (!buffer.memory() || !ring_->covers_ring_before()) {
        const auto span = connection_.host_memory().find(to);
        return span ? deliveries_.request_there(part, *span, to) : deliveries_.request(part, to);
    }
    const wire::BulkData bytes = TRY(buffer.shared_bytes(tensor, offset, to.size()));
    deliveries_.postpone(part, to, buffer.region(), bytes);
    return {};
}

Result<bool> RemoteStream::copy_tensor(Stream& to_stream, const ggml_tensor& from,
                                       const ggml_tensor& to) {
    TRY(connection_.health().check());
    // Of one connection, so of one kind.
    auto& reader = static_cast<RemoteStream&>(to_stream);
    const RemoteBuffer& source = *TRY(placer_.use_buffer_of(from));
    const auto request = TRY(TRY(placer_.use_buffer_of(to))->copy_request(source, from, to));
    if (!request)
        return false;
    TRY(deliveries_.send_postponed());
    TRY(reader.deliveries_.send_postponed());
    const uint64_t sequence = TRY(ring_->copy_tensor(*request));
    ring_->uses().note(std::array{request->source.buffer, request->destination.buffer}, sequence);
    TRY(reader.come_after(*this, sequence));
    return true;
}

Result<uint64_t> RemoteStream::mark() {
    TRY(connection_.health().check());
    TRY(deliveries_.send_postponed());
    return ring_->sent();
}

Result<void> RemoteStream::come_after(const Stream& other, uint64_t mark) {
    if (&other != this)
        TRY(ring_->await_ring({static_cast<const RemoteStream&>(other).ring_->number(), mark}));
    return {};
}

}  // namespace virtgpu::frontend
