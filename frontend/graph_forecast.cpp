#include "frontend/graph_forecast.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "frontend/tensor_buffer.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

// In all but its name, which is for people, and `extra`, which is not ours to use: a graph of 1,400
// tensors is 350 kB to compare.
bool same(const ggml_tensor& a, const ggml_tensor& b) {
    return std::memcmp(&a, &b, offsetof(ggml_tensor, name)) == 0;
}

bool has_place(const protocol::Tensor& tensor) {
    const bool is_empty = std::find(tensor.ne.begin(), tensor.ne.end(), 0) != tensor.ne.end();
    return is_empty || tensor.buffer.generation != 0;
}

}  // namespace

Result<TensorPlace> GraphForecast::PlacesSoFar::place(const ggml_tensor& tensor) {
    return ggml_buffer_of(tensor) == nullptr ? TensorPlace{} : placer_.place(tensor);
}

GraphForecast::GraphForecast(TensorPlacer& placer, const ggml_private::GraphInternals& internals)
    : internals_(internals), places_(placer) {}

Result<void> GraphForecast::expect(ggml_cgraph& graph, uint64_t buffers_freed) {
    const std::lock_guard lock(mutex_);
    state_ = State::kNothing;
    TRY(encoder_.encode(graph, internals_));
    nodes_ = encoder_.graph().nodes;
    uses_ = uses_in(graph);
    seen_.resize(encoder_.size());
    for (size_t i = 0; i < seen_.size(); ++i)
        seen_[i] = *encoder_.tensor(i);
    buffers_freed_ = buffers_freed;
    state_ = State::kExpecting;
    return {};
}

void GraphForecast::note_place(const ggml_tensor& tensor, const TensorPlace& place) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kExpecting)
        return;
    const uint32_t position = encoder_.position(tensor);
    if (position == PointerMap::kAbsent)
        return;
    ggml_tensor& seen = seen_[position];
    seen.buffer = tensor.buffer;
    seen.data = tensor.data;
    // Another tensor may have come to be at the address.
    if (!same(seen, tensor))
        state_ = State::kNothing;
    else
        encoder_.set_late_place(position, place);
}

protocol::Graph* GraphForecast::take(uint64_t buffers_freed) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kExpecting || buffers_freed != buffers_freed_ || !all_is_placed() ||
        !encoder_.views_lie_in_sources())
        return nullptr;
    state_ = State::kTaken;
    return &encoder_.graph();
}

bool GraphForecast::all_is_placed() const {
    const auto& tensors = encoder_.graph().tensors;
    return std::all_of(tensors.begin(), tensors.end(), [](const protocol::GraphTensor& tensor) {
        return has_place(tensor.tensor);
    });
}

bool GraphForecast::foretold(ggml_cgraph& graph, uint64_t buffers_freed) const {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kTaken || buffers_freed != buffers_freed_ || !same_nodes(graph))
        return false;
    if (uses_ != uses_in(graph))
        return false;
    // From the end: what names a tensor comes after it, so that each is known to be there still
    // when it is looked at.
    for (size_t i = seen_.size(); i-- > 0;)
        if (!same(seen_[i], *encoder_.tensor(i)))
            return false;
    return true;
}

// Of results of the graph's nodes, in other parts of it as well: the host keeps what others read.
std::vector<std::optional<int32_t>> GraphForecast::uses_in(const ggml_cgraph& graph) const {
    std::vector<std::optional<int32_t>> uses;
    uses.reserve(nodes_.size());
    for (const uint32_t node : nodes_)
        uses.push_back(internals_.uses(graph, *encoder_.tensor(node)));
    return uses;
}

bool GraphForecast::same_nodes(ggml_cgraph& graph) const {
    if (static_cast<size_t>(ggml_graph_n_nodes(&graph)) != nodes_.size())
        return false;
    for (size_t i = 0; i < nodes_.size(); ++i)
        if (ggml_graph_node(&graph, static_cast<int>(i)) != encoder_.tensor(nodes_[i]))
            return false;
    return true;
}

void GraphForecast::forget() {
    const std::lock_guard lock(mutex_);
    state_ = State::kNothing;
}

}  // namespace virtgpu::frontend
