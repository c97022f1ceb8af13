// With which weights a built graph computes: those that the guest placed, or the host's copies.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "backend/graph_builder.h"
#include "backend/weight_copies.h"

namespace virtgpu::backend {

// Changes the sources of the graph's nodes, one by one: other nodes may read the same weights where
// they lie, as GET_ROWS does with embeddings that are the output's weights too. For one thread.
class GraphWeights {
 public:
    // Gives copies to the nodes of the graph that was built last; the buffers it writes into lose
    // theirs for good. What was known of an earlier build is forgotten.
    void choose(const validate::ValidGraph& graph, const GraphBuilder& builder,
                const HeldBuffers& buffers, ggml_backend_dev_t device, Session& session);

    // Whether bring_up_to_date() has something to do. Then nothing of this stream may run with the
    // graph. (A guest that changes weights while another of its streams computes with them gets
    // what it asked for: some of the old, some of the new.)
    bool outdated() const;
    // Before each run, with the graph's buffers held: copies follow their originals, and nodes
    // whose copies are gone compute with the originals again. `held` gets what the run needs. True
    // when the graph is another than before.
    bool bring_up_to_date(std::vector<std::shared_ptr<const void>>& held);

    // Whether weights are to be chosen anew when these nodes change: one of them computes with a
    // copy, or the graph lost its copies.
    bool use_any_of(const std::vector<const ggml_tensor*>& nodes) const;
    // Nodes that compute with copies.
    size_t size() const { return uses_.size(); }

 private:
    struct Use {
        ggml_tensor* node;
        ggml_tensor* original;
    };

    // False where the device does not take it for this node.
    bool use_copy(ggml_tensor& node, ggml_tensor& copy, ggml_backend_dev_t device);
    void restore();

    std::vector<Use> uses_;
    bool restored_ = false;
    // Not held: a guest that frees a buffer gets the memory of its copies back.
    std::unordered_map<const WeightCopies*, std::weak_ptr<WeightCopies>> owners_;
};

}  // namespace virtgpu::backend
