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
    decltype(protocol::GraphTensor::source) sources{};
    for (size_t i = 0; i < sources.size(); ++i)
        if (node.src[i] != nullptr)
            sources[i] = TRY(reference(*node.src[i])) + 1;
    const uint32_t position = TRY(add(node, describe));
    graph_.tensors[position].source = sources;
    graph_.nodes.push_back(position);
    for (const uint32_t source : sources)
        if (source != 0)
            ++graph_.tensors[source - 1].use_count;
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
    return known != PointerMap::kAbsent ? known : add(tensor, describe_leaf);
}

// At the end, where it is written in place.
Result<uint32_t> GraphEncoder::add(const ggml_tensor& tensor, Describe& describe) {
    const TensorPlace place = placer_ != nullptr ? TRY(placer_->place(tensor)) : TensorPlace{};
    // One step deep: what is viewed here views nothing itself.
    const uint32_t viewed = tensor.view_src != nullptr && can_name_view_source(tensor)
                                ? TRY(reference(*tensor.view_src))
                                : PointerMap::kAbsent;
    const auto position = static_cast<uint32_t>(graph_.tensors.size());
    protocol::GraphTensor& entry = graph_.tensors.emplace_back();
    describe(tensor, entry.tensor);
    set_place(entry.tensor, place);
    if (viewed != PointerMap::kAbsent)
        name_view_source(viewed, tensor.view_offs, entry);
    positions_.set(&tensor, position);
    tensors_.push_back(&tensor);
    return position;
}

void GraphEncoder::name_view_source(uint32_t source, uint64_t offset,
                                    protocol::GraphTensor& view) const {
    if (!lies_in(view.tensor, graph_.tensors[source].tensor, offset))
        return;
    view.view_source = source + 1;
    view.view_offset = offset;
}

}  // namespace virtgpu::frontend
