#include "frontend/graph_encoder.h"

#include <algorithm>

namespace virtgpu::frontend {

using wire::Result;

namespace {

static_assert(std::tuple_size_v<decltype(protocol::GraphTensor::source)> == GGML_MAX_SRC);

// The host takes a view only when it lies within what it views and where it says. One without bytes
// lies everywhere: where llama.cpp wants no results of a part of a prompt, the last layer has no
// rows, and backends still look for what belongs together there.
bool can_name_view_source(const ggml_tensor& view) {
    const ggml_tensor& source = *view.view_src;
    return source.view_src == nullptr &&
           (ggml_nbytes(&view) == 0 || ggml_nbytes(&view) + view.view_offs <= ggml_nbytes(&source));
}

// Also where neither has a place.
bool lies_in(const protocol::Tensor& view, const protocol::Tensor& source, uint64_t offset) {
    return view.buffer == source.buffer &&
           (view.buffer.generation == 0 || view.data_offset - source.data_offset == offset);
}

}  // namespace

void GraphEncoder::clear() {
    positions_.clear();
    graph_.tensors.clear();
    graph_.nodes.clear();
    tensors_.clear();
}

Result<void> GraphEncoder::add_node(const ggml_tensor& node) {
    protocol::GraphTensor entry;
    for (size_t i = 0; i < entry.source.size(); ++i)
        if (node.src[i] != nullptr)
            entry.source[i] = TRY(reference(*node.src[i])) + 1;
    entry.tensor = describe(node);
    if (placer_ != nullptr)
        set_place(entry.tensor, TRY(placer_->place(node)));
    TRY(set_view_source(node, entry));
    const auto position = static_cast<uint32_t>(graph_.tensors.size());
    for (const uint32_t source : entry.source)
        if (source != 0)
            ++graph_.tensors[source - 1].use_count;
    positions_.set(&node, position);
    graph_.tensors.push_back(entry);
    tensors_.push_back(&node);
    graph_.nodes.push_back(position);
    return {};
}

Result<void> GraphEncoder::encode(ggml_cgraph& graph,
                                  const ggml_private::GraphInternals& internals) {
    clear();
    const int count = ggml_graph_n_nodes(&graph);
    for (int i = 0; i < count; ++i)
        TRY(add_node(*ggml_graph_node(&graph, i)));
    count_uses(graph, internals);
    return {};
}

void GraphEncoder::set_late_place(size_t position, const TensorPlace& place) {
    set_place(graph_.tensors[position].tensor, place);
}

bool GraphEncoder::views_lie_in_sources() const {
    const auto& tensors = graph_.tensors;
    return std::all_of(tensors.begin(), tensors.end(), [&](const protocol::GraphTensor& entry) {
        return entry.view_source == 0 ||
               lies_in(entry.tensor, tensors[entry.view_source - 1].tensor, entry.view_offset);
    });
}

void GraphEncoder::set_total_uses(size_t node, std::optional<int32_t> uses) {
    int32_t& count = graph_.tensors[graph_.nodes[node]].use_count;
    count = uses ? *uses : count + 1;
}

void GraphEncoder::count_uses(const ggml_cgraph& graph,
                              const ggml_private::GraphInternals& internals) {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
        set_total_uses(i, internals.uses(graph, *tensors_[graph_.nodes[i]]));
}

// The position of what a node reads; a leaf if it was not met before.
Result<uint32_t> GraphEncoder::reference(const ggml_tensor& tensor) {
    const uint32_t known = positions_.find(&tensor);
    if (known != PointerMap::kAbsent)
        return known;
    protocol::GraphTensor entry;
    entry.tensor = describe_leaf(tensor);
    if (placer_ != nullptr)
        set_place(entry.tensor, TRY(placer_->place(tensor)));
    TRY(set_view_source(tensor, entry));
    const auto position = static_cast<uint32_t>(graph_.tensors.size());
    positions_.set(&tensor, position);
    graph_.tensors.push_back(entry);
    tensors_.push_back(&tensor);
    return position;
}

Result<void> GraphEncoder::set_view_source(const ggml_tensor& view, protocol::GraphTensor& entry) {
    if (view.view_src == nullptr || !can_name_view_source(view))
        return {};
    // One step deep: what is viewed here views nothing itself.
    const uint32_t source = TRY(reference(*view.view_src));
    if (!lies_in(entry.tensor, graph_.tensors[source].tensor, view.view_offs))
        return {};
    entry.view_source = source + 1;
    entry.view_offset = view.view_offs;
    return {};
}

}  // namespace virtgpu::frontend
