// Memory for backends that write more than a result has.
#pragma once

#include "backend/session.h"

namespace virtgpu::backend {

// Upstream's frontend takes ggml_nbytes for what a tensor needs, and places the next one right
// behind it. Some backends want more: Metal for what it computes on the way, CUDA behind rows that
// it reads in larger pieces. For one thread.
class PaddedResults {
 public:
    // Keeps a reference to the session.
    PaddedResults(Session& session, ggml_backend_dev_t device);
    ~PaddedResults();
    PaddedResults(const PaddedResults&) = delete;
    PaddedResults& operator=(const PaddedResults&) = delete;

    // Bytes that every buffer has to have behind its end: what is wanted behind the last of its
    // tensors.
    uint64_t behind_buffers() const { return behind_buffers_; }
    // Has the nodes that want more computed in a place with room, from where their results are
    // copied to the guest's. Fault::kRefused where there is no memory for that.
    Result<void> give_room(protocol::Graph& graph);

 private:
    // Bytes that the tensors of the graph want, 0 where they have what they want.
    Result<std::vector<uint64_t>> wanted(const protocol::Graph& graph);
    Result<protocol::Handle> room(uint64_t bytes);

    Session& session_;
    ggml_backend_dev_t const device_;
    uint64_t behind_buffers_ = 0;
    // The last is the largest. Graphs made earlier use the others.
    std::vector<protocol::Handle> rooms_;
    uint64_t largest_ = 0;
};

}  // namespace virtgpu::backend
