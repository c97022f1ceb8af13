#include "backend/apir/forward_graph.h"

#include <algorithm>
#include <unordered_map>

#include "backend/apir/forward_handles.h"
#include "backend/apir/memory_use.h"

namespace virtgpu::backend {

namespace {

using Positions = std::unordered_map<uint64_t, uint32_t>;

template <typename Source>
std::array<int64_t, 4> elements_of(const Source& ne) {
    std::array<int64_t, 4> elements{};
    std::copy(ne.begin(), ne.end(), elements.begin());
    return elements;
}

// The upper halves of strides are not sent. Those of a tensor that is one piece follow from its
// shape, and larger ones than that has no tensor of its size.
std::array<uint64_t, 4> strides_of(const protocol::ForwardTensor& tensor,
                                   const validate::Vocabulary& vocabulary) {
    std::array<uint64_t, 4> strides{};
    std::copy(tensor.nb.begin(), tensor.nb.end(), strides.begin());
    const auto type = vocabulary.type(tensor.type);
    if (!type)
        return strides;  // refused later
    const validate::TypeTraits& traits = vocabulary.traits(*type);
    std::array<uint64_t, 4> whole{};
    whole[0] = traits.type_size;
    whole[1] = tensor.ne[0] / traits.block_size * uint64_t{traits.type_size};
    bool fits = true;
    for (size_t i = 2; i < whole.size(); ++i)
        fits = fits && !__builtin_mul_overflow(whole[i - 1], uint64_t{tensor.ne[i - 1]}, &whole[i]);
    for (size_t i = 0; i < whole.size(); ++i)
        fits = fits && static_cast<uint32_t>(whole[i]) == tensor.nb[i];
    return fits ? whole : strides;
}

protocol::Tensor tensor_of(const protocol::ForwardTensor& tensor,
                           const validate::Vocabulary& vocabulary) {
    protocol::Tensor result;
    result.type = tensor.type;
    result.op = tensor.op;
    result.flags = static_cast<uint32_t>(tensor.flags);
    result.ne = elements_of(tensor.ne);
    result.nb = strides_of(tensor, vocabulary);
    result.op_params = tensor.op_params;
    // Without a buffer the data is an address of the guest, or one that it would like us to read.
    if (tensor.buffer != 0) {
        result.buffer = handle_of(tensor.buffer);
        result.data_offset = tensor.data;
    }
    result.name = tensor.name;
    return result;
}

protocol::Tensor tensor_of(const protocol::GgmlTensor& tensor) {
    protocol::Tensor result;
    result.type = tensor.type;
    result.op = tensor.op;
    result.flags = static_cast<uint32_t>(tensor.flags);
    result.ne = tensor.ne;
    result.nb = tensor.nb;
    result.op_params = tensor.op_params;
    result.name = tensor.name;
    return result;
}

Result<uint32_t> find(const Positions& positions, uint64_t id) {
    const auto found = positions.find(id);
    if (found == positions.end())
        return wire::fail(Fault::kPeer, "a graph that refers to {:#x}, which it does not hold", id);
    return found->second;
}

Result<Positions> positions_of(const protocol::ForwardGraph& graph) {
    Positions positions;
    for (uint32_t i = 0; i < graph.tensors.size(); ++i)
        if (graph.tensors[i].id == 0 || !positions.emplace(graph.tensors[i].id, i).second)
            return wire::fail(Fault::kPeer, "a graph with the id {:#x} twice or 0",
                              graph.tensors[i].id);
    return positions;
}

// What the nodes are and what they read, by position in upstream's list.
struct Needed {
    std::vector<bool> node;
    std::vector<bool> tensor;
};

Result<void> need_view_source(const protocol::ForwardTensor& tensor, const Positions& positions,
                              Needed& needed) {
    if (tensor.view_source != 0)
        needed.tensor[TRY(find(positions, tensor.view_source))] = true;
    return {};
}

Result<Needed> needed_of(const protocol::ForwardGraph& graph, const Positions& positions) {
    Needed needed{std::vector<bool>(graph.tensors.size()), std::vector<bool>(graph.tensors.size())};
    for (const uint64_t id : graph.nodes) {
        const uint32_t position = TRY(find(positions, id));
        const protocol::ForwardTensor& node = graph.tensors[position];
        needed.node[position] = needed.tensor[position] = true;
        TRY(need_view_source(node, positions, needed));
        for (const uint64_t source : node.source) {
            if (source == 0)
                continue;
            const uint32_t read = TRY(find(positions, source));
            needed.tensor[read] = true;
            TRY(need_view_source(graph.tensors[read], positions, needed));
        }
    }
    return needed;
}

// Position plus one among the tensors that go on, as level 2 refers to them.
Result<uint32_t> reference_to(uint64_t id, const Positions& positions,
                              const std::vector<uint32_t>& references) {
    if (id == 0)
        return 0;
    const uint32_t reference = references[TRY(find(positions, id))];
    if (reference == 0)
        return wire::fail(Fault::kPeer, "a graph that refers to {:#x}, which comes later", id);
    return reference;
}

}  // namespace

protocol::TensorData data_of(const protocol::ForwardTensor& tensor, uint64_t buffer,
                             const validate::Vocabulary& vocabulary) {
    return {tensor.type, elements_of(tensor.ne), strides_of(tensor, vocabulary),
            handle_of(tensor.buffer != 0 ? tensor.buffer : buffer), tensor.data};
}

Result<protocol::Graph> graph_of(const protocol::ForwardGraph& graph,
                                 const validate::Vocabulary& vocabulary) {
    const Positions positions = TRY(positions_of(graph));
    const Needed needed = TRY(needed_of(graph, positions));
    protocol::Graph result;
    std::vector<uint32_t> references(graph.tensors.size());
    for (uint32_t i = 0; i < graph.tensors.size(); ++i) {
        if (!needed.tensor[i])
            continue;
        const protocol::ForwardTensor& tensor = graph.tensors[i];
        protocol::GraphTensor next;
        next.tensor = tensor_of(tensor, vocabulary);
        if (needed.node[i])
            for (size_t source = 0; source < next.source.size(); ++source)
                next.source[source] =
                    TRY(reference_to(tensor.source[source], positions, references));
        next.view_source = TRY(reference_to(tensor.view_source, positions, references));
        next.view_offset = tensor.view_offset;
        result.tensors.push_back(next);
        references[i] = static_cast<uint32_t>(result.tensors.size());
    }
    for (const uint64_t id : graph.nodes)
        result.nodes.push_back(references[TRY(find(positions, id))] - 1);
    TRY(count_uses(result, vocabulary));
    return result;
}

std::vector<protocol::GraphTensor> bundle_of(const protocol::ForwardNode& node) {
    std::vector<protocol::GraphTensor> bundle;
    protocol::GraphTensor last;
    last.tensor = tensor_of(node.tensor);
    last.view_offset = node.tensor.view_offset;
    // A source's own view is not sent: it is taken for a tensor of its own, of the same layout.
    for (size_t i = 0; i < node.sources.size(); ++i) {
        bundle.push_back({tensor_of(node.sources[i]), {}, 0, 0, 0});
        last.source[i] = static_cast<uint32_t>(bundle.size());
    }
    if (node.view_source) {
        bundle.push_back({tensor_of(*node.view_source), {}, 0, 0, 0});
        last.view_source = static_cast<uint32_t>(bundle.size());
    }
    bundle.push_back(last);
    return bundle;
}

}  // namespace virtgpu::backend
