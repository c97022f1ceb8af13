#pragma once

#include <ggml.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "frontend/graph_encoder.h"
#include "frontend/place_observers.h"
#include "ggml_private/graph_internals.h"

namespace virtgpu::frontend {

// The next graph of a stream, encoded while the device computes the one before. ggml shows a graph
// to its backend when it has cut it (graph_optimize), then gives the tensors their places
// (init_tensor), waits for the device to be done with the memory and has the graph computed. What
// begins only then is time in which the device does nothing: 0.8 ms for each 512 tokens of a prompt
// of an 8 B model on an H100, which takes 42 ms for them.
//
// For one thread, but for note_place. Tensors are looked at only while they must be there: in
// expect() those of the graph, in note_place() that one.
class GraphForecast : public PlaceObserver {
 public:
    // Both outlive it.
    GraphForecast(TensorPlacer& placer, const ggml_private::GraphInternals& internals);

    // A graph whose nodes have the order in which they are to be computed. Of its tensors some have
    // places, the others will be given them. `buffers_freed`: places from before are uncertain when
    // a buffer is freed.
    wire::Result<void> expect(ggml_cgraph& graph, uint64_t buffers_freed);
    void note_place(const ggml_tensor& tensor, const TensorPlace& place) override;
    // The encoded graph, once, when everything has a place; else null. It may be exchanged for
    // another.
    protocol::Graph* take(uint64_t buffers_freed);
    // Whether this is the graph that was taken, and nothing in it has changed since.
    bool foretold(ggml_cgraph& graph, uint64_t buffers_freed) const;
    void forget();

 private:
    enum class State { kNothing, kExpecting, kTaken };

    // Leaves out the places that are not known yet.
    class PlacesSoFar : public TensorPlacer {
     public:
        explicit PlacesSoFar(TensorPlacer& placer) : placer_(placer) {}
        wire::Result<TensorPlace> place(const ggml_tensor& tensor) override;

     private:
        TensorPlacer& placer_;
    };

    bool all_is_placed() const;
    bool same_nodes(ggml_cgraph& graph) const;
    std::vector<std::optional<int32_t>> uses_in(const ggml_cgraph& graph) const;

    const ggml_private::GraphInternals& internals_;
    mutable std::mutex mutex_;  // of all that follows
    PlacesSoFar places_;
    GraphEncoder encoder_{&places_};
    std::vector<ggml_tensor> seen_;  // by the encoder's positions
    std::vector<uint32_t> nodes_;
    std::vector<std::optional<int32_t>> uses_;  // of these
    State state_ = State::kNothing;
    uint64_t buffers_freed_ = 0;
};

}  // namespace virtgpu::frontend
