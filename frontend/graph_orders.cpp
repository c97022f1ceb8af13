#include "frontend/graph_orders.h"

#include <algorithm>

#include "wire/generated/codec.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

// Also of one that says nothing: then the nodes stay as they are.
Result<void> check_order(const protocol::OptimizeGraphReply& order, const protocol::Graph& graph) {
    std::vector<uint32_t> sorted = order.nodes;
    std::sort(sorted.begin(), sorted.end());
    const auto names_a_tensor = [&](const protocol::AllocDependency& dependency) {
        return dependency.tensor < graph.tensors.size() && dependency.until < graph.tensors.size();
    };
    if (sorted != graph.nodes ||
        !std::all_of(order.dependencies.begin(), order.dependencies.end(), names_a_tensor))
        return wire::fail(Fault::kPeer, "the host gave a graph other nodes");
    return {};
}

}  // namespace

Result<const protocol::OptimizeGraphReply*> GraphOrders::order_of(const protocol::Graph& graph,
                                                                  const Ask& ask) {
    writer_.clear();
    TRY(wire::encode(writer_, graph));
    const auto bytes = writer_.bytes();
    const std::string_view key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (const auto known = orders_.find(key); known != orders_.end())
        return &known->second;
    auto order = ask(bytes);
    // The host's backend says no: that is an answer, too.
    if (!order && order.error().fault() == Fault::kRefused)
        order = protocol::OptimizeGraphReply{graph.nodes, {}};
    TRY(Result<protocol::OptimizeGraphReply>(order));
    TRY(check_order(*order, graph));
    if (key_bytes_ + key.size() > most_bytes_) {
        orders_.clear();
        key_bytes_ = 0;
    }
    key_bytes_ += key.size();
    return &orders_.emplace(std::string(key), std::move(*order)).first->second;
}

Result<void> GraphOrders::apply(const GraphEncoder& encoder, ggml_cgraph& graph,
                                const ggml_backend_graph_optimize_params* parameters,
                                const Ask& ask) {
    if (encoder.graph().nodes.empty() ||
        encoder.graph().nodes.size() > protocol::kMaxOptimizedNodes)
        return {};
    const protocol::OptimizeGraphReply& order = *TRY(order_of(encoder.graph(), ask));
    ggml_tensor** const nodes = ggml_graph_nodes(&graph);
    for (size_t i = 0; i < order.nodes.size(); ++i)
        nodes[i] = const_cast<ggml_tensor*>(encoder.tensor(order.nodes[i]));
    // Plug-in interface 2 before ggml 0.23 had no such thing; we do not run there.
    if (parameters == nullptr || parameters->add_alloc_dep == nullptr)
        return {};
    for (const protocol::AllocDependency& dependency : order.dependencies)
        parameters->add_alloc_dep(parameters->user_data,
                                  const_cast<ggml_tensor*>(encoder.tensor(dependency.tensor)),
                                  const_cast<ggml_tensor*>(encoder.tensor(dependency.until)));
    return {};
}

}  // namespace virtgpu::frontend
