// From decoded graphs and node descriptions to ones that ggml may be given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "backend/validate/tensor.h"

namespace virtgpu::validate {

// References are positions in the same list, always of an earlier tensor, so there are no cycles.
struct ValidGraphTensor {
    ValidTensor tensor;
    std::array<std::optional<uint32_t>, 10> sources;
    std::optional<uint32_t> view_source;
    uint64_t view_offset = 0;
    // Nodes outside this graph use the result, so a backend may not fuse it away.
    bool used_outside = false;
};

// Whether ggml's graph has it as a node; one of no operation is a leaf.
inline bool is_computed(const ValidGraphTensor& tensor) {
    return tensor.tensor.kind != OpKind::kNone;
}

// Made by the functions below only.
struct ValidGraph {
    std::vector<ValidGraphTensor> tensors;
    std::vector<uint32_t> nodes;  // ascending; tensors that are not here are leaves, op NONE
};

// A graph to compute: every tensor with elements has its place in a buffer.
Result<ValidGraph> check_graph(const TensorValidator& validator, const protocol::Graph& graph);

// The same again for tensors that were exchanged in the graph, at ascending positions. Their
// references are what they were, and nodes are still nodes: only then. After a failure the valid
// graph is of no use.
Result<void> check_exchanged(const TensorValidator& validator, const protocol::Graph& graph,
                             std::span<const uint32_t> positions, ValidGraph& valid);

// The same before any tensor has a place, for questions about the graph.
Result<ValidGraph> check_unplaced_graph(const TensorValidator& validator,
                                        const protocol::Graph& graph);

// A node, last, with what it refers to, without places. Never empty.
Result<ValidGraph> check_bundle(const TensorValidator& validator,
                                const std::vector<protocol::GraphTensor>& tensors);

// The last tensor and what it views, with places and without an operation: for commands that touch
// its data. Never empty; the tensor is last.
Result<ValidGraph> check_placed_tensor(const TensorValidator& validator,
                                       const std::vector<protocol::GraphTensor>& tensors);

// GGML_TENSOR_FLAG_COMPUTE: backends pass over nodes without it.
inline constexpr uint32_t kComputed = 16;

// A tensor whose elements name rows of others and have to be less than `bound`, and not negative.
struct IndexUse {
    uint32_t tensor = 0;  // position
    int64_t bound = 0;
};

// All that are in memory before the graph is computed and are read then, each once: those that the
// graph computes itself nobody can look at. For a valid graph.
std::vector<IndexUse> find_indices(const Vocabulary& vocabulary, const ValidGraph& graph);

}  // namespace virtgpu::validate
