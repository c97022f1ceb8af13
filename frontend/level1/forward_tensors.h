// Tensors and graphs as upstream's commands have them.
#pragma once

#include <ggml.h>

#include <functional>
#include <unordered_set>

#include "protocol/generated/structures.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Where data is on the host: its buffer's handle, 0 for none, and the offset there.
struct ForwardPlace {
    uint64_t buffer = 0;
    uint64_t offset = 0;
};
// Fault::kRefused for data that is not in a buffer of the host.
using ForwardPlacer = std::function<wire::Result<ForwardPlace>(const ggml_tensor& tensor)>;

// The tensor alone, as a command about its data needs it. Fault::kRefused for one whose shape does
// not fit upstream's 32 bits.
wire::Result<protocol::ForwardTensor> forward_tensor(const ggml_tensor& tensor,
                                                     const ForwardPlace& place);

// A node for questions about it, without data.
protocol::ForwardNode forward_node(const ggml_tensor& node);

// One graph at a time, for one thread.
class ForwardGraphEncoder {
 public:
    explicit ForwardGraphEncoder(ForwardPlacer place) : place_(std::move(place)) {}

    void clear();
    // Sources that were no nodes before are data: the host does not compute them.
    wire::Result<void> add_node(const ggml_tensor& node);
    const protocol::ForwardGraph& graph() const { return graph_; }

 private:
    wire::Result<uint64_t> reference(const ggml_tensor& tensor);
    wire::Result<void> add(const ggml_tensor& tensor, protocol::ForwardTensor entry);

    ForwardPlacer place_;
    protocol::ForwardGraph graph_;
    std::unordered_set<const ggml_tensor*> known_;
};

}  // namespace virtgpu::frontend
