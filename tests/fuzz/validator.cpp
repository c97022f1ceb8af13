// The validator alone: graphs, edits of them, descriptions of nodes and placed tensors.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/graph_input.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/vocabulary.h"

namespace virtgpu::fuzz {
namespace {

void check_place(const validate::ValidTensor& tensor, validate::BufferSizes& buffers) {
    if (!tensor.place)
        return require(tensor.extent == 0, "what has elements has a place");
    const auto size = buffers.size_of(tensor.place->buffer);
    require(size.has_value(), "its buffer is there");
    require(tensor.place->offset <= *size && tensor.extent <= *size - tensor.place->offset,
            "it lies in its buffer");
}

void check_placed(const validate::ValidGraph& graph, validate::BufferSizes& buffers) {
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
        const validate::ValidGraphTensor& tensor = graph.tensors[i];
        check_place(tensor.tensor, buffers);
        for (const auto& source : tensor.sources)
            require(!source || *source < i, "sources come first");
        require(!tensor.view_source || *tensor.view_source < i, "what is viewed comes first");
    }
}

void check(const GraphInput& input) {
    static const validate::Vocabulary vocabulary = make_vocabulary();
    InputBuffers buffers(input);
    const validate::TensorValidator validator(vocabulary, buffers);
    static_cast<void>(validate::check_unplaced_graph(validator, input.graph));
    static_cast<void>(validate::check_bundle(validator, input.graph.tensors));
    static_cast<void>(validate::check_placed_tensor(validator, input.graph.tensors));
    auto graph = validate::check_graph(validator, input.graph);
    if (!graph)
        return;
    check_placed(*graph, buffers);
    for (const validate::IndexUse& use : validate::find_indices(vocabulary, *graph))
        require(use.tensor < graph->tensors.size(), "indices are of the graph");

    protocol::Graph edited = input.graph;
    std::vector<uint32_t> positions;
    for (const protocol::GraphChange& change : input.edit.changes) {
        if (change.position >= edited.tensors.size() ||
            (!positions.empty() && change.position <= positions.back()))
            return;
        positions.push_back(change.position);
        protocol::GraphTensor tensor = change.tensor;
        tensor.source = edited.tensors[change.position].source;
        tensor.view_source = edited.tensors[change.position].view_source;
        tensor.tensor.op = edited.tensors[change.position].tensor.op;
        edited.tensors[change.position] = tensor;
    }
    const auto exchanged = validate::check_exchanged(validator, edited, positions, *graph);
    require(exchanged.has_value() == validate::check_graph(validator, edited).has_value(),
            "an edited graph is valid just when the whole graph is");
    if (exchanged)
        check_placed(*graph, buffers);
}

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (const auto input = virtgpu::fuzz::decode_input(std::as_bytes(std::span(data, size))))
        virtgpu::fuzz::check(*input);
    return 0;
}
