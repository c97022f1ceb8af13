#pragma once

#include <ggml.h>

#include <optional>
#include <vector>

#include "frontend/pointer_map.h"
#include "frontend/tensor_description.h"
#include "ggml_private/graph_internals.h"

namespace virtgpu::frontend {

// Turns nodes of a ggml graph, given in their order, into a protocol::Graph. What a node reads and
// that was not given before is a leaf: it belongs to another part of a split graph, and a host that
// knew its operation would compute it again on memory that has been reused since. For one thread;
// made to be used again and again.
class GraphEncoder {
 public:
    // Without a placer all places are left out, as node descriptions want it.
    explicit GraphEncoder(TensorPlacer* placer) : placer_(placer) {}

    void clear();
    // Fails as the placer does; then the graph is of no use.
    wire::Result<void> add_node(const ggml_tensor& node);
    // All nodes of a graph and how often each is used, instead of what was there.
    wire::Result<void> encode(ggml_cgraph& graph, const ggml_private::GraphInternals& internals);
    // The tensor at a position had no place when it was added, and has one now.
    void set_late_place(size_t position, const TensorPlace& place);
    // Whether every view has the place that its source says. Only late places can be otherwise.
    bool views_lie_in_sources() const;

    // May be exchanged for another, to keep this one; clear() comes next.
    protocol::Graph& graph() { return graph_; }
    const protocol::Graph& graph() const { return graph_; }
    // The tensor that a position stands for; valid as long as the application's graph is.
    const ggml_tensor* tensor(size_t position) const { return tensors_[position]; }
    size_t size() const { return tensors_.size(); }
    // Where the tensor is, or PointerMap::kAbsent; a node that was read before it was added is at
    // the later of two positions.
    uint32_t position(const ggml_tensor& tensor) const { return positions_.find(&tensor); }
    // How often nodes of the guest's graph, in this part of it and in others, use the result of the
    // `node`th node. Unknown counts as one more than in this part: the host then keeps the result.
    void set_total_uses(size_t node, std::optional<int32_t> uses);
    // The same of all nodes, as far as the graph says it.
    void count_uses(const ggml_cgraph& graph, const ggml_private::GraphInternals& internals);

 private:
    using Describe = void(const ggml_tensor& tensor, protocol::Tensor& description);

    wire::Result<uint32_t> reference(const ggml_tensor& tensor);
    wire::Result<uint32_t> add(const ggml_tensor& tensor, Describe& describe);
    void name_view_source(uint32_t source, uint64_t offset, protocol::GraphTensor& view) const;

    TensorPlacer* placer_;
    PointerMap positions_;
    protocol::Graph graph_;
    std::vector<const ggml_tensor*> tensors_;
};

}  // namespace virtgpu::frontend
