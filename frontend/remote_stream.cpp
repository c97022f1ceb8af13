#include "frontend/remote_stream.h"

#include <algorithm>
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
// Room for the logits of several tokens.
constexpr size_t kLandingBytes = size_t{2} << 20;
constexpr size_t kLandingAlignment = 64;

}  // namespace

Result<std::unique_ptr<RemoteStream>> RemoteStream::open(Connection& connection, uint32_t device) {
    auto stream = std::make_unique<RemoteStream>(
        connection, TRY(connection.open_ring({kStagingBytes, kLandingBytes})));
    TRY(stream->ring_->open_stream({device}));
    return stream;
}

RemoteStream::RemoteStream(Connection& connection, std::unique_ptr<RingChannel> ring)
    : connection_(connection),
      ring_(std::move(ring)),
      placer_(connection),
      encoder_(&placer_),
      table_({connection.host().max_graphs, connection.host().max_tensors}) {}

RemoteStream::~RemoteStream() {
    // Not finish(): whoever asked for bytes and did not wait may be gone, and its memory with it.
    quietly([this] { static_cast<void>(ring_->finish()); });
    quietly([this] { connection_.close_ring(std::move(ring_)); });
}

Result<void> RemoteStream::compute(ggml_cgraph& graph) {
    TRY(connection_.health().check());
    const uint64_t freed = connection_.buffers_freed();
    const uint64_t uid = connection_.graph_internals().uid(graph);
    auto number = table_.find(uid, freed);
    if (!number) {
        TRY(encode_graph(graph));
        const auto plan = table_.add(encoder_.graph(), uid, freed);
        if (!plan)
            return wire::fail(wire::Fault::kRefused, "the host takes no graph of {} tensors",
                              encoder_.graph().tensors.size());
        // The table says now that the host has it.
        if (const auto brought = bring_to_host(*plan); !brought)
            return connection_.health().lose(brought.error().message());
        number = plan->number;
    }
    TRY(ring_->run_graph({*number}));
    connection_.traffic().graphs.fetch_add(1, std::memory_order_relaxed);
    return {};
}

Result<void> RemoteStream::encode_graph(ggml_cgraph& graph) {
    encoder_.clear();
    nodes_.clear();
    const int count = ggml_graph_n_nodes(&graph);
    for (int i = 0; i < count; ++i) {
        const ggml_tensor& node = *ggml_graph_node(&graph, i);
        // ggml's scheduler passes over views where it cuts graphs, so those of another backend's
        // data may be among our nodes. Nobody of ours reads them.
        if (computes_nothing(node.op) && placer_.buffer_of(node) == nullptr)
            continue;
        TRY(encoder_.add_node(node));
        nodes_.push_back(&node);
    }
    for (size_t i = 0; i < nodes_.size(); ++i)
        encoder_.set_total_uses(i, connection_.graph_internals().uses(graph, *nodes_[i]));
    return {};
}

Result<void> RemoteStream::bring_to_host(const GraphTable::Plan& plan) {
    for (const uint32_t dropped : plan.to_be_dropped)
        TRY(ring_->drop_graph({dropped}));
    writer_.clear();
    switch (plan.step) {
        case GraphTable::Plan::Step::kNothing:
            return {};
        case GraphTable::Plan::Step::kEdit:
            connection_.traffic().edited.fetch_add(1, std::memory_order_relaxed);
            TRY(encode(writer_, plan.edit));
            return send_encoded([&](const protocol::RegionSpan& span) {
                return ring_->edit_graph({plan.number, span});
            });
        case GraphTable::Plan::Step::kDefine:
            connection_.traffic().defined.fetch_add(1, std::memory_order_relaxed);
            TRY(encode(writer_, table_.graph(plan.number)));
            return send_encoded([&](const protocol::RegionSpan& span) {
                return ring_->define_graph({plan.number, span});
            });
    }
    return {};
}

template <typename Send>
Result<void> RemoteStream::send_encoded(Send send) {
    const auto bytes = writer_.bytes();
    connection_.traffic().bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    if (bytes.size() > kLargestPiece) {
        TRY(send(TRY(place_large(bytes))));
        return {};
    }
    auto staging = ring_->lock_staging();
    const auto piece = TRY(staging.reserve(bytes.size()));
    std::memcpy(piece.bytes.data(), bytes.data(), bytes.size());
    staging.in_use_until(TRY(send(piece.span)));
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
    return upload(*ring_, TRY(TRY(placer_.buffer_in_use(tensor))->data_of(tensor)), offset, from);
}

Result<void> RemoteStream::get_tensor(const ggml_tensor& tensor, size_t offset,
                                      std::span<std::byte> to) {
    if (to.empty())
        return {};
    TRY(connection_.health().check());
    const auto data = TRY(TRY(placer_.buffer_in_use(tensor))->data_of(tensor));
    if (to.size() > kLandingBytes)
        return download(*ring_, data, offset, to);
    if (to.size() > kLandingBytes - landing_used_)
        TRY(finish());
    const auto piece = TRY(ring_->landing(landing_used_, to.size()));
    TRY(ring_->get_tensor({data, offset, piece.span}));
    deliveries_.push_back({piece.bytes, to});
    landing_used_ = std::min(kLandingBytes, (landing_used_ + to.size() + kLandingAlignment - 1) /
                                                kLandingAlignment * kLandingAlignment);
    return {};
}

Result<bool> RemoteStream::copy_tensor(RemoteStream& reader, const ggml_tensor& from,
                                       const ggml_tensor& to) {
    const RemoteBuffer& source = *TRY(placer_.buffer_in_use(from));
    const auto request = TRY(TRY(placer_.buffer_in_use(to))->copy_request(source, from, to));
    if (!request)
        return false;
    const uint64_t sequence = TRY(ring_->copy_tensor(*request));
    if (&reader != this)
        TRY(reader.ring_->await_ring({ring_->number(), sequence}));
    return true;
}

Result<void> RemoteStream::finish() {
    auto finished = ring_->finish();
    for (const Delivery& delivery : deliveries_)
        if (finished)
            std::memcpy(delivery.to.data(), delivery.bytes.data(), delivery.to.size());
        else
            // The caller reads it in any case.
            std::memset(delivery.to.data(), 0, delivery.to.size());
    deliveries_.clear();
    landing_used_ = 0;
    return finished;
}

}  // namespace virtgpu::frontend
