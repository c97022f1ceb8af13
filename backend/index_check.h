// The elements of tensors that name rows of others, looked at before a graph is computed.
#pragma once

#include <functional>
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
    // Fault::kRefused when an index is out of range, and when `ends` says so, which is asked often:
    // a guest's strides may make it look at the same bytes for years. The buffers must be held.
    Result<void> check(const std::function<bool()>& ends) const;

 private:
    struct Use {
        const ggml_tensor* tensor;
        int64_t bound;
    };
    std::vector<Use> uses_;
};

}  // namespace virtgpu::backend
