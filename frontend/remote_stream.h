#pragma once

#include <ggml-backend.h>

#include <functional>
#include <memory>
#include <vector>

#include "frontend/buffer_placer.h"
#include "frontend/connection.h"
#include "frontend/deliveries.h"
#include "frontend/graph_encoder.h"
#include "frontend/graph_forecast.h"
#include "frontend/graph_orders.h"
#include "frontend/graph_table.h"

namespace virtgpu::frontend {

// A ggml_backend_t: one ring of the connection, on which the host does in order what is queued.
// finish() waits; the others only where bytes are too many for the ring's areas. For one thread at
// a time, as ggml's backends are; only finish(mark) is for any, which wait for events.
class RemoteStream : public Stream {
 public:
    static wire::Result<std::unique_ptr<RemoteStream>> open(Connection& connection,
                                                            uint32_t device);
    RemoteStream(Connection& connection, std::shared_ptr<RingChannel> ring, bool reorders_graphs);
    ~RemoteStream() override;
    RemoteStream(const RemoteStream&) = delete;
    RemoteStream& operator=(const RemoteStream&) = delete;

    Connection& connection() override { return connection_; }

    // Whether it was computed shows in finish(), but with an abort callback: then it is waited for
    // here.
    wire::Result<ggml_status> compute(ggml_cgraph& graph) override;
    void set_abort_callback(std::function<bool()> unwanted) override {
        unwanted_ = std::move(unwanted);
    }
    // No more than the host would use by itself.
    wire::Result<void> set_threads(uint32_t threads) override;
    bool reorders_graphs() const override { return reorders_graphs_; }
    wire::Result<void> optimize(ggml_cgraph& graph,
                                const ggml_backend_graph_optimize_params* parameters) override;
    // `from` has been read when it returns, but where it is memory that the host sees (the host
    // buffer type): then it is read by the next finish() at the latest.
    wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<const std::byte> from) override;
    // `to` is written by the next finish() at the latest. Bytes of a shared buffer are those at the
    // next request: who writes the buffer itself meanwhile has to wait first, as with any backend
    // that works in the background.
    wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<std::byte> to) override;
    // Copies after what is queued here; what `reader` queues from now on comes after the copy.
    wire::Result<bool> copy_tensor(Stream& reader, const ggml_tensor& from,
                                   const ggml_tensor& to) override;
    // Waits for all that is queued and delivers what was asked for; fails when any of it failed.
    wire::Result<void> finish() override;

    // A point in the stream: the number of the last request.
    wire::Result<uint64_t> mark() override;
    wire::Result<void> finish(uint64_t mark) override { return deliveries_.finish(mark); }
    // What is queued here from now on comes after a point of another stream of the connection.
    wire::Result<void> come_after(const Stream& other, uint64_t mark) override;

 private:
    bool idle() const { return ring_->idle() && connection_.commands().idle(); }
    wire::Result<ggml_status> wait_or_abort(uint64_t sequence);
    wire::Result<uint32_t> number_of(ggml_cgraph& graph);
    wire::Result<void> encode_graph(ggml_cgraph& graph);
    // Its number there. Takes the graph over, as the table does.
    wire::Result<uint32_t> bring_to_host(protocol::Graph& graph, uint64_t uid, uint64_t freed);
    wire::Result<void> carry_out(const GraphTable::Plan& plan);
    // The graph that is to be computed next, where it is known.
    wire::Result<void> bring_forecast();
    template <typename Send>
    wire::Result<void> send_encoded(std::span<const std::byte> bytes, Send send);
    wire::Result<protocol::OptimizeGraphReply> ask_for_order(std::span<const std::byte> encoded);
    wire::Result<protocol::RegionSpan> place_large(std::span<const std::byte> bytes);

    Connection& connection_;
    std::shared_ptr<RingChannel> ring_;
    BufferPlacer placer_;
    GraphEncoder encoder_;
    GraphTable table_;
    GraphEncoder order_encoder_{nullptr};
    GraphOrders orders_;
    GraphForecast forecast_;
    uint32_t forecast_number_ = 0;  // of the graph that was taken from it
    const bool reorders_graphs_;
    wire::Writer writer_;
    // For graphs larger than the staging area; grows and stays.
    std::unique_ptr<SharedRegion> large_graphs_;
    Deliveries deliveries_;
    std::function<bool()> unwanted_;
};

}  // namespace virtgpu::frontend
