#pragma once

#include <ggml.h>

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "frontend/graph_encoder.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "wire/writer.h"

namespace virtgpu::frontend {

// The orders in which the host's device computes graphs best, asked once per structure. For one
// thread. Bounded: when full it starts anew, which costs round trips and nothing else.
class GraphOrders {
 public:
    // Asks the host about an encoded graph.
    using Ask =
        std::function<wire::Result<protocol::OptimizeGraphReply>(std::span<const std::byte>)>;

    // `most_bytes`: of the encoded graphs that are remembered.
    explicit GraphOrders(size_t most_bytes = size_t{16} << 20) : most_bytes_(most_bytes) {}

    // Puts the graph's nodes, which the encoder was given in their order and without places, into
    // the better order, and says which memory must stay longer for it. Leaves the graph alone where
    // the host has no better one.
    wire::Result<void> apply(const GraphEncoder& encoder, ggml_cgraph& graph,
                             const ggml_backend_graph_optimize_params* parameters, const Ask& ask);

 private:
    wire::Result<const protocol::OptimizeGraphReply*> order_of(const protocol::Graph& graph,
                                                               const Ask& ask);

    // Of an encoded graph, which is looked for without a copy of it.
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view bytes) const {
            return std::hash<std::string_view>()(bytes);
        }
    };

    wire::Writer writer_;
    std::unordered_map<std::string, protocol::OptimizeGraphReply, Hash, std::equal_to<>> orders_;
    const size_t most_bytes_;
    size_t key_bytes_ = 0;
};

}  // namespace virtgpu::frontend
