#include "backend/validate/graph.h"

#include <algorithm>
#include <map>

#include "backend/validate/node.h"

namespace virtgpu::validate {

namespace {

// Turns "position plus one, 0 for none" into a position before `position`.
Result<std::optional<uint32_t>> earlier(uint32_t reference, size_t position) {
    if (reference == 0)
        return std::optional<uint32_t>();
    // ggml issue 25299 and cycles: a reference forward, to itself or to nothing.
    if (reference - 1 >= position)
        return wire::fail(Fault::kPeer, "tensor {} refers to tensor {}", position, reference - 1);
    return std::optional(reference - 1);
}

bool reads_any(const ValidGraphTensor& node, const std::vector<bool>& exchanged) {
    return std::any_of(node.sources.begin(), node.sources.end(),
                       [&exchanged](const auto& source) { return source && exchanged[*source]; });
}

Node node_of(const Vocabulary& vocabulary, const ValidGraph& graph,
             const ValidGraphTensor& tensor) {
    Node::Sources sources{};
    for (size_t i = 0; i < sources.size(); ++i)
        sources[i] = tensor.sources[i] ? &graph.tensors[*tensor.sources[i]].tensor : nullptr;
    return {vocabulary, tensor.tensor, sources};
}

// Where a tensor's bytes are: in itself, or in what it views, which views nothing itself.
uint32_t home_of(const ValidGraph& graph, uint32_t position) {
    return graph.tensors[position].view_source.value_or(position);
}

// Which tensors the graph's nodes write, also leaves, through what views them.
std::vector<bool> written_by(const ValidGraph& graph) {
    std::vector<bool> written(graph.tensors.size());
    for (const uint32_t position : graph.nodes) {
        const ValidGraphTensor& node = graph.tensors[position];
        if (is_computed(node) && node.tensor.kind != OpKind::kView)
            written[home_of(graph, position)] = true;
    }
    return written;
}

class GraphValidator {
 public:
    GraphValidator(const TensorValidator& validator, Placement placement, ValidGraph graph = {})
        : validator_(validator), placement_(placement), graph_(std::move(graph)) {}

    Result<ValidGraph> check(std::span<const protocol::GraphTensor> tensors,
                             const std::vector<uint32_t>& nodes);
    Result<ValidGraph> check_exchanged(std::span<const protocol::GraphTensor> tensors,
                                       std::span<const uint32_t> positions);

 private:
    Result<ValidGraphTensor> check_tensor(const protocol::GraphTensor& tensor, size_t position,
                                          bool is_node) const;
    Result<void> check_operation(const ValidGraphTensor& node) const;
    Result<void> check_view(const ValidGraphTensor& view) const;
    void mark_outside_uses(std::span<const protocol::GraphTensor> tensors);

    const TensorValidator& validator_;
    Placement placement_;
    ValidGraph graph_;
};

Result<ValidGraph> GraphValidator::check(std::span<const protocol::GraphTensor> tensors,
                                         const std::vector<uint32_t>& nodes) {
    graph_.tensors.reserve(tensors.size());
    auto next_node = nodes.begin();
    for (const protocol::GraphTensor& tensor : tensors) {
        const bool is_node = next_node != nodes.end() && *next_node == graph_.tensors.size();
        if (is_node)
            ++next_node;
        graph_.tensors.push_back(TRY(check_tensor(tensor, graph_.tensors.size(), is_node)));
    }
    // Not ascending, given twice, or past the end.
    if (next_node != nodes.end())
        return wire::fail(Fault::kPeer, "node {} is out of order or names no tensor", *next_node);
    graph_.nodes = nodes;
    mark_outside_uses(tensors);
    return std::move(graph_);
}

Result<ValidGraphTensor> GraphValidator::check_tensor(const protocol::GraphTensor& tensor,
                                                      size_t position, bool is_node) const {
    ValidGraphTensor valid;
    valid.tensor = TRY(validator_.check(tensor.tensor, placement_));
    for (size_t i = 0; i < valid.sources.size(); ++i)
        valid.sources[i] = TRY(earlier(tensor.source[i], position));
    valid.view_source = TRY(earlier(tensor.view_source, position));
    valid.view_offset = tensor.view_offset;
    TRY(check_view(valid));
    if (is_node) {
        TRY(check_operation(valid));
    } else {
        // What is no node of this graph is never computed here, or it would be computed a second
        // time on memory that has been reused since.
        valid.tensor.op = validator_.vocabulary().leaf_op();
        valid.tensor.kind = OpKind::kNone;
        valid.sources.fill(std::nullopt);
    }
    return valid;
}

Result<ValidGraph> GraphValidator::check_exchanged(std::span<const protocol::GraphTensor> tensors,
                                                   std::span<const uint32_t> positions) {
    std::vector<bool> exchanged(tensors.size());
    for (const uint32_t position : positions) {
        const bool is_node = std::binary_search(graph_.nodes.begin(), graph_.nodes.end(), position);
        graph_.tensors[position] = TRY(check_tensor(tensors[position], position, is_node));
        exchanged[position] = true;
    }
    // What an exchanged tensor was viewed by may now lie elsewhere than it.
    for (const ValidGraphTensor& tensor : graph_.tensors)
        if (tensor.view_source && exchanged[*tensor.view_source])
            TRY(check_view(tensor));
    for (const uint32_t position : graph_.nodes)
        if (!exchanged[position] && reads_any(graph_.tensors[position], exchanged))
            TRY(check_operation(graph_.tensors[position]));
    mark_outside_uses(tensors);
    return std::move(graph_);
}

Result<void> GraphValidator::check_operation(const ValidGraphTensor& node) const {
    const Vocabulary& vocabulary = validator_.vocabulary();
    return check_node(vocabulary.rules(node.tensor.op), node_of(vocabulary, graph_, node));
}

Result<void> GraphValidator::check_view(const ValidGraphTensor& view) const {
    if (!view.view_source)
        return {};
    const ValidGraphTensor& source = graph_.tensors[*view.view_source];
    if (source.view_source)
        return wire::fail(Fault::kPeer, "a view of a view: ggml names the viewed tensor itself");
    const bool touches_bytes = view.tensor.extent != 0;
    if (touches_bytes && (view.view_offset > source.tensor.extent ||
                          view.tensor.extent > source.tensor.extent - view.view_offset))
        return wire::fail(Fault::kRefused, "a view of bytes {}+{} in a tensor of {}",
                          view.view_offset, view.tensor.extent, source.tensor.extent);
    const auto& place = view.tensor.place;
    const auto& source_place = source.tensor.place;
    // Of one that touches none its offset still makes an address.
    if (source_place && view.view_offset > source.tensor.room)
        return wire::fail(Fault::kRefused, "a view at byte {} in a buffer's last {}",
                          view.view_offset, source.tensor.room);
    // Backends use either address, so both must be the same. A view without elements has none.
    if (place && (!source_place || !(place->buffer == source_place->buffer) ||
                  place->offset - source_place->offset != view.view_offset))
        return wire::fail(Fault::kPeer, "a view lies elsewhere than its source");
    return {};
}

void GraphValidator::mark_outside_uses(std::span<const protocol::GraphTensor> tensors) {
    std::vector<int64_t> uses(graph_.tensors.size());
    for (const uint32_t node : graph_.nodes)
        for (const auto& source : graph_.tensors[node].sources)
            if (source)
                ++uses[*source];
    for (const uint32_t node : graph_.nodes)
        graph_.tensors[node].used_outside = tensors[node].use_count > uses[node];
}

}  // namespace

Result<ValidGraph> check_graph(const TensorValidator& validator, const protocol::Graph& graph) {
    return GraphValidator(validator, Placement::kRequired).check(graph.tensors, graph.nodes);
}

Result<ValidGraph> check_unplaced_graph(const TensorValidator& validator,
                                        const protocol::Graph& graph) {
    return GraphValidator(validator, Placement::kIgnored).check(graph.tensors, graph.nodes);
}

Result<void> check_exchanged(const TensorValidator& validator, const protocol::Graph& graph,
                             std::span<const uint32_t> positions, ValidGraph& valid) {
    GraphValidator again(validator, Placement::kRequired, std::move(valid));
    valid = TRY(again.check_exchanged(graph.tensors, positions));
    return {};
}

Result<ValidGraph> check_bundle(const TensorValidator& validator,
                                const std::vector<protocol::GraphTensor>& tensors) {
    if (tensors.empty())
        return wire::fail(Fault::kPeer, "a node description without a node");
    GraphValidator graph(validator, Placement::kIgnored);
    return graph.check(tensors, {static_cast<uint32_t>(tensors.size() - 1)});
}

Result<ValidGraph> check_placed_tensor(const TensorValidator& validator,
                                       const std::vector<protocol::GraphTensor>& tensors) {
    if (tensors.empty())
        return wire::fail(Fault::kPeer, "a tensor is missing");
    // Sources may not be placed yet, and nothing here reads them.
    std::vector<protocol::GraphTensor> needed = {tensors.back()};
    needed.back().source.fill(0);
    if (const auto source = TRY(earlier(tensors.back().view_source, tensors.size() - 1))) {
        needed.insert(needed.begin(), tensors[*source]);
        needed.front().source.fill(0);
        needed.back().view_source = 1;
    }
    return GraphValidator(validator, Placement::kRequired).check(needed, {});
}

std::vector<IndexUse> find_indices(const Vocabulary& vocabulary, const ValidGraph& graph) {
    const std::vector<bool> written = written_by(graph);
    std::map<uint32_t, int64_t> bounds;
    for (const uint32_t position : graph.nodes) {
        const ValidGraphTensor& tensor = graph.tensors[position];
        // llama.cpp leaves the inputs of a branch that it does not take as they are.
        if ((tensor.tensor.flags & kComputed) == 0)
            continue;
        const auto indices =
            indices_of(vocabulary.rules(tensor.tensor.op), node_of(vocabulary, graph, tensor));
        if (!indices)
            continue;
        const uint32_t source = *tensor.sources[indices->source];
        if (written[home_of(graph, source)])
            continue;
        const auto [found, added] = bounds.emplace(source, indices->bound);
        found->second = std::min(found->second, indices->bound);
    }
    std::vector<IndexUse> uses;
    for (const auto& [position, bound] : bounds)
        uses.push_back({position, bound});
    return uses;
}

}  // namespace virtgpu::validate
