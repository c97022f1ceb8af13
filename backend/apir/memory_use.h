// Which bytes the nodes of a graph read and write. A guest has placed its tensors before the host
// sees the graph, and uses the same memory for one tensor after the other.
#pragma once

#include "backend/validate/vocabulary.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

// Sets every use_count: how often the graph's own nodes read the tensor, and once more where
// somebody else may. Nobody else can where a later node of the graph writes over the result, which
// is how ggml's allocator treats what nobody needs any more. Fault::kPeer or kRefused for tensors
// that no ggml can make.
Result<void> count_uses(protocol::Graph& graph, const validate::Vocabulary& vocabulary);

// Whether the nodes may be computed in this order of the same positions: every one of them reads
// what it reads in the graph's own order, and what is left in memory is the same.
Result<bool> may_reorder(const protocol::Graph& graph, const std::vector<uint32_t>& order,
                         const validate::Vocabulary& vocabulary);

}  // namespace virtgpu::backend
