// A graph that a guest has defined and may run again and again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/graph_builder.h"
#include "backend/graph_weights.h"
#include "backend/index_check.h"
#include "backend/memory_account.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Keeps the decoded graph, for edits, and ggml's, for backends that know graphs again by address.
// Does not keep the buffers: a guest that frees one gets its memory back. For one thread.
class CachedGraph {
 public:
    // Fault::kRefused when the account has no room for it.
    static Result<std::unique_ptr<CachedGraph>> create(protocol::Graph graph,
                                                       std::shared_ptr<MemoryAccount> account);
    // What it takes of the account.
    static uint64_t bytes_of(const protocol::Graph& graph);
    ~CachedGraph();
    CachedGraph(const CachedGraph&) = delete;
    CachedGraph& operator=(const CachedGraph&) = delete;

    // Checks everything and makes ggml's graph. Fault::kPeer and kRefused as the validator says,
    // kRefused also for what the device does not support; then the graph cannot be run.
    Result<ggml_cgraph*> build(Session& session, ggml_backend_dev_t device);
    // The graph with the changes, its tensors at the same addresses. Fails as build() does, and
    // with Fault::kPeer for positions that are not ascending or name no tensor.
    Result<ggml_cgraph*> edit(const protocol::GraphEdit& edit, Session& session,
                              ggml_backend_dev_t device);

    size_t tensors() const { return graph_.tensors.size(); }
    size_t nodes() const { return graph_.nodes.size(); }
    // Null when it cannot be run: an edit was wrong, or the device does not support it.
    ggml_cgraph* built() const { return built_; }
    // Why not, for whoever wants to run it.
    const std::string& refusal() const { return refusal_; }
    void set_refusal(std::string reason) { refusal_ = std::move(reason); }
    GraphWeights& weights() { return weights_; }
    // Fault::kRefused when data of the graph names what is not there, or `ends` says so. The
    // buffers must be held.
    Result<void> check_indices(const std::function<bool()>& ends) const {
        return indices_.check(ends);
    }

    // The buffers that the graph needs, while it runs. Fault::kPeer when one was freed.
    Result<std::vector<std::shared_ptr<const void>>> hold_buffers() const;

 private:
    CachedGraph(protocol::Graph graph, std::shared_ptr<MemoryAccount> account);

    // What an edit changes.
    struct Exchanged {
        std::vector<uint32_t> positions;  // ascending
        // Only in what the tensors are: they refer to the same tensors and lie in the same buffers.
        bool in_place = true;
    };
    Result<Exchanged> apply(const protocol::GraphEdit& edit);
    Result<void> rebuild(const Exchanged& exchanged, Session& session, ggml_backend_dev_t device);
    std::vector<const ggml_tensor*> nodes_concerned(const Exchanged& exchanged) const;

    protocol::Graph graph_;
    const std::shared_ptr<MemoryAccount> account_;
    validate::ValidGraph valid_;  // of what is in builder_
    GraphBuilder builder_;
    GraphWeights weights_;          // of what is in builder_
    IndexCheck indices_;            // of what is in builder_
    ggml_cgraph* built_ = nullptr;  // in builder_
    std::string refusal_;
    std::vector<std::weak_ptr<Buffer>> buffers_;
};

}  // namespace virtgpu::backend
