#include "backend/graph_cache.h"

namespace virtgpu::backend {

Result<CachedGraph*> GraphCache::add(uint32_t number, protocol::Graph graph,
                                     std::shared_ptr<MemoryAccount> account) {
    if (graphs_.contains(number))
        return wire::fail(Fault::kPeer, "graph {} is defined already", number);
    const size_t tensors = graph.tensors.size();
    if (graphs_.size() >= graph_limit_ || tensors > tensor_limit_ - tensors_)
        return wire::fail(Fault::kPeer, "a graph of {} tensors beside {} graphs of {} tensors",
                          tensors, graphs_.size(), tensors_);
    // Its number is known in any case: what the guest has queued for it is refused as well.
    auto& entry = graphs_[number];
    entry = TRY(CachedGraph::create(std::move(graph), std::move(account)));
    tensors_ += tensors;
    return entry.get();
}

Result<CachedGraph*> GraphCache::find(uint32_t number) const {
    const auto found = graphs_.find(number);
    if (found == graphs_.end())
        return wire::fail(Fault::kPeer, "there is no graph {}", number);
    if (!found->second)
        return wire::fail(Fault::kRefused, "there was no room for graph {}", number);
    return found->second.get();
}

Result<void> GraphCache::remove(uint32_t number) {
    const auto found = find(number);
    if (!found && found.error().fault() == Fault::kPeer)
        return tl::unexpected(found.error());
    if (found)
        tensors_ -= (*found)->tensors();
    graphs_.erase(number);
    return {};
}

}  // namespace virtgpu::backend
