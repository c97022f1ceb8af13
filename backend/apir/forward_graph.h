// Upstream's graphs and tensors as the structures that level 2 uses.
#pragma once

#include "backend/validate/vocabulary.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

// Where a tensor's data is. `buffer` is used where the tensor names none.
protocol::TensorData data_of(const protocol::ForwardTensor& tensor, uint64_t buffer,
                             const validate::Vocabulary& vocabulary);

// The graph without what none of its nodes reads: upstream sends the ancestors of what was computed
// elsewhere, too. Use counts, which it does not send, are made so that no result is taken for
// unneeded that may be needed after the graph. Fault::kPeer for ids that name nothing or come too
// late, kRefused for what the host's ggml does not know.
Result<protocol::Graph> graph_of(const protocol::ForwardGraph& graph,
                                 const validate::Vocabulary& vocabulary);

// The node of a question, last, after what it refers to, without places.
std::vector<protocol::GraphTensor> bundle_of(const protocol::ForwardNode& node);

}  // namespace virtgpu::backend
