#include "backend/graph_order.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "backend/graph_builder.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::backend {

namespace {

// What add_alloc_dep collects. It is called by C code, so it must not throw.
struct Dependencies {
    std::vector<std::pair<const ggml_tensor*, const ggml_tensor*>> pairs;
    bool too_many = false;
};

void add_dependency(void* user_data, ggml_tensor* tensor, ggml_tensor* until) {
    auto& dependencies = *static_cast<Dependencies*>(user_data);
    if (dependencies.pairs.size() == dependencies.pairs.capacity())
        dependencies.too_many = true;
    else
        dependencies.pairs.emplace_back(tensor, until);
}

using Positions = std::unordered_map<const ggml_tensor*, uint32_t>;

Result<uint32_t> position(const Positions& positions, const ggml_tensor* tensor) {
    const auto found = positions.find(tensor);
    if (found == positions.end())
        return wire::fail(Fault::kRefused, "the backend put another tensor into the graph");
    return found->second;
}

}  // namespace

bool reorders_graphs(ggml_backend_t backend) {
    // Only where we know what ggml_backend looks like.
    if (!ggml_private::plugin_abi_of(ggml_version()))
        return false;
    const int abi = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend))->api_version;
    return (abi == static_cast<int>(ggml_private::PluginAbi::kVersion2) ||
            abi == static_cast<int>(ggml_private::PluginAbi::kVersion3)) &&
           backend->iface.graph_optimize != nullptr;
}

Result<protocol::OptimizeGraphReply> better_order(ggml_backend_t backend, Session& session,
                                                  const protocol::Graph& graph) {
    // A guest may ask although it was told.
    if (!reorders_graphs(backend))
        return wire::fail(Fault::kRefused, "{} has no better orders", ggml_backend_name(backend));
    // A node has ten sources and what it views.
    if (graph.nodes.size() > protocol::kMaxOptimizedNodes ||
        graph.tensors.size() > 12 * graph.nodes.size())
        return wire::fail(Fault::kPeer, "{} nodes and {} tensors to be reordered",
                          graph.nodes.size(), graph.tensors.size());
    const auto vocabulary = TRY(session.vocabulary());
    HeldBuffers buffers(session);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto valid = TRY(validate::check_unplaced_graph(validator, graph));
    GraphBuilder builder;
    ggml_cgraph* const built = TRY(builder.build_graph(valid, buffers));
    const Positions positions = builder.positions();

    Dependencies dependencies;
    dependencies.pairs.reserve(protocol::kMaxAllocDependencies);
    ggml_backend_graph_optimize_params parameters{add_dependency, &dependencies};
    backend->iface.graph_optimize(backend, built, &parameters);
    if (dependencies.too_many)
        return wire::fail(Fault::kRefused, "an order with too many dependencies");

    protocol::OptimizeGraphReply reply;
    // A model's parameters are nodes to ggml while it is trained, and were not built: they compute
    // nothing and need nothing, so they come first.
    std::copy_if(valid.nodes.begin(), valid.nodes.end(), std::back_inserter(reply.nodes),
                 [&](uint32_t node) { return !validate::is_computed(valid.tensors[node]); });
    for (int i = 0; i < ggml_graph_n_nodes(built); ++i)
        reply.nodes.push_back(TRY(position(positions, ggml_graph_node(built, i))));
    for (const auto& [tensor, until] : dependencies.pairs)
        reply.dependencies.push_back(
            {TRY(position(positions, tensor)), TRY(position(positions, until))});
    return reply;
}

}  // namespace virtgpu::backend
