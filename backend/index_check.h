// The elements of tensors that name rows of others, looked at before a graph is computed.
#pragma once

#include <vector>

#include "backend/graph_builder.h"

namespace virtgpu::backend {

// Of one graph: what lies in memory that the processor reads, and is not computed by the graph
// itself. ggml's kernels for the CPU abort the process on a wrong index or, for SSM_SCAN and
// GET_ROWS_BACK, use it (ggml issue 25765). A guest that changes the memory after the look reaches
// its own worker alone. For one thread.
class IndexCheck {
 public:
    // Of what the builder has made last of the graph.
    void choose(const validate::Vocabulary& vocabulary, const validate::ValidGraph& graph,
                const GraphBuilder& builder);
    // Fault::kRefused when an index is out of range. The buffers must be held.
    Result<void> check() const;

 private:
    struct Use {
        const ggml_tensor* tensor;
        int64_t bound;
    };
    std::vector<Use> uses_;
};

}  // namespace virtgpu::backend
