// The graphs of a stream, by the numbers that the guest gave them.
#pragma once

#include <unordered_map>

#include "backend/cached_graph.h"

namespace virtgpu::backend {

// For one thread. Never drops a graph by itself, so that what a guest has queued stays valid.
class GraphCache {
 public:
    GraphCache(uint32_t graph_limit, uint32_t tensor_limit)
        : graph_limit_(graph_limit), tensor_limit_(tensor_limit) {}

    // Fault::kPeer for a number in use, and past the limits: the guest was told them.
    Result<CachedGraph*> add(uint32_t number, protocol::Graph graph,
                             std::shared_ptr<MemoryAccount> account);
    // Fault::kPeer for a number that is not in use, kRefused where there was no room for the graph.
    Result<CachedGraph*> find(uint32_t number) const;
    Result<void> remove(uint32_t number);

 private:
    const uint32_t graph_limit_;
    const uint32_t tensor_limit_;
    size_t tensors_ = 0;
    std::unordered_map<uint32_t, std::unique_ptr<CachedGraph>> graphs_;
};

}  // namespace virtgpu::backend
