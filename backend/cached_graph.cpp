#include "backend/cached_graph.h"

#include "backend/printable.h"

namespace virtgpu::backend {

namespace {

// The decoded tensor, ggml's tensor and the slots that ggml's graph has for it.
constexpr uint64_t kBytesPerTensor =
    sizeof(protocol::GraphTensor) + sizeof(ggml_tensor) + 8 * sizeof(void*);

uint64_t bytes_of(const protocol::Graph& graph) {
    return graph.tensors.size() * kBytesPerTensor + graph.nodes.size() * sizeof(uint32_t);
}

Result<void> check_supported(ggml_cgraph& graph, ggml_backend_dev_t device) {
    for (int i = 0; i < ggml_graph_n_nodes(&graph); ++i) {
        const ggml_tensor* const node = ggml_graph_node(&graph, i);
        // Backends abort the process on what they do not support.
        if (!ggml_backend_dev_supports_op(device, node))
            return wire::fail(Fault::kRefused, "{} does not support node {}, {} '{}'",
                              ggml_backend_dev_name(device), i, ggml_op_desc(node),
                              printable(node->name));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<CachedGraph>> CachedGraph::create(protocol::Graph graph,
                                                         std::shared_ptr<MemoryAccount> account) {
    TRY(account->take(bytes_of(graph)));
    return std::unique_ptr<CachedGraph>(new CachedGraph(std::move(graph), std::move(account)));
}

CachedGraph::CachedGraph(protocol::Graph graph, std::shared_ptr<MemoryAccount> account)
    : graph_(std::move(graph)), account_(std::move(account)) {}

CachedGraph::~CachedGraph() {
    account_->give_back(bytes_of(graph_));
}

Result<void> CachedGraph::apply(const protocol::GraphEdit& edit) {
    built_ = nullptr;
    uint64_t next = 0;
    for (const protocol::GraphChange& change : edit.changes) {
        if (change.position < next || change.position >= graph_.tensors.size())
            return wire::fail(Fault::kPeer, "a change of tensor {} in a graph of {}",
                              change.position, graph_.tensors.size());
        graph_.tensors[change.position] = change.tensor;
        next = uint64_t{change.position} + 1;
    }
    return {};
}

Result<ggml_cgraph*> CachedGraph::build(Session& session, ggml_backend_dev_t device) {
    built_ = nullptr;
    const auto vocabulary = TRY(session.vocabulary());
    HeldBuffers buffers(session);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto valid = TRY(validate::check_graph(validator, graph_));
    TRY(buffers.check_reach(device));
    ggml_cgraph* const built = TRY(builder_.build_graph(valid, buffers));
    TRY(check_supported(*built, device));
    weights_.choose(valid, builder_, buffers, device, session);
    buffers_ = buffers.unheld();
    built_ = built;
    return built_;
}

Result<std::vector<std::shared_ptr<const void>>> CachedGraph::hold_buffers() const {
    std::vector<std::shared_ptr<const void>> held;
    held.reserve(buffers_.size());
    for (const std::weak_ptr<Buffer>& buffer : buffers_) {
        held.push_back(buffer.lock());
        if (!held.back())
            return wire::fail(Fault::kPeer, "a graph whose buffer was freed");
    }
    return held;
}

}  // namespace virtgpu::backend
