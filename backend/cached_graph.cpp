#include "backend/cached_graph.h"

#include <algorithm>
#include <utility>

#include "backend/printable.h"

namespace virtgpu::backend {

namespace {

// The decoded tensor, the checked one, ggml's and the slots that ggml's graph has for it.
constexpr uint64_t kBytesPerTensor = sizeof(protocol::GraphTensor) +
                                     sizeof(validate::ValidGraphTensor) + sizeof(ggml_tensor) +
                                     8 * sizeof(void*);

// Backends abort the process on what they do not support.
Result<void> check_supported(const ggml_tensor& node, ggml_backend_dev_t device) {
    if (!ggml_backend_dev_supports_op(device, &node))
        return wire::fail(Fault::kRefused, "{} does not support {} '{}'",
                          ggml_backend_dev_name(device), ggml_op_desc(&node), printable(node.name));
    return {};
}

}  // namespace

uint64_t CachedGraph::bytes_of(const protocol::Graph& graph) {
    return graph.tensors.size() * kBytesPerTensor + graph.nodes.size() * sizeof(uint32_t);
}

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

Result<CachedGraph::Exchanged> CachedGraph::apply(const protocol::GraphEdit& edit) {
    Exchanged exchanged;
    uint64_t next = 0;
    for (const protocol::GraphChange& change : edit.changes) {
        if (change.position < next || change.position >= graph_.tensors.size())
            return wire::fail(Fault::kPeer, "a change of tensor {} in a graph of {}",
                              change.position, graph_.tensors.size());
        protocol::GraphTensor& tensor = graph_.tensors[change.position];
        exchanged.in_place &= tensor.source == change.tensor.source &&
                              tensor.view_source == change.tensor.view_source &&
                              tensor.tensor.op == change.tensor.tensor.op &&
                              tensor.tensor.buffer == change.tensor.tensor.buffer;
        exchanged.positions.push_back(change.position);
        tensor = change.tensor;
        next = uint64_t{change.position} + 1;
    }
    return exchanged;
}

Result<ggml_cgraph*> CachedGraph::edit(const protocol::GraphEdit& edit, Session& session,
                                       ggml_backend_dev_t device) {
    ggml_cgraph* const before = std::exchange(built_, nullptr);
    const Exchanged exchanged = TRY(apply(edit));
    if (before == nullptr || !exchanged.in_place)
        return build(session, device);
    // Backends look at the sources' buffers when they are asked about a node.
    const auto held = TRY(hold_buffers());
    TRY(rebuild(exchanged, session, device));
    // Other weights may be computed with now, which is seldom: token by token it is the cache that
    // moves on.
    const auto concerned = nodes_concerned(exchanged);
    if (weights_.use_any_of(concerned))
        return build(session, device);
    for (const ggml_tensor* const node : concerned)
        TRY(check_supported(*node, device));
    return built_ = before;
}

// A full build takes some 0.5 us per tensor.
Result<void> CachedGraph::rebuild(const Exchanged& exchanged, Session& session,
                                  ggml_backend_dev_t device) {
    const auto vocabulary = TRY(session.vocabulary());
    HeldBuffers buffers(session);
    const validate::TensorValidator validator(*vocabulary, buffers);
    TRY(validate::check_exchanged(validator, graph_, exchanged.positions, valid_));
    TRY(buffers.check_reach(device));
    for (const uint32_t position : exchanged.positions)
        builder_.update(position, valid_.tensors[position], buffers);
    indices_.choose(*vocabulary, valid_, builder_);
    return {};
}

// Those that changed, and those that read what did.
std::vector<const ggml_tensor*> CachedGraph::nodes_concerned(const Exchanged& exchanged) const {
    std::vector<bool> changed(valid_.tensors.size());
    for (const uint32_t position : exchanged.positions)
        changed[position] = true;
    std::vector<const ggml_tensor*> concerned;
    for (const uint32_t position : valid_.nodes) {
        const validate::ValidGraphTensor& node = valid_.tensors[position];
        const bool reads =
            std::any_of(node.sources.begin(), node.sources.end(),
                        [&](const auto& source) { return source && changed[*source]; });
        if (validate::is_computed(node) && (changed[position] || reads))
            concerned.push_back(builder_.tensor(position));
    }
    return concerned;
}

Result<ggml_cgraph*> CachedGraph::build(Session& session, ggml_backend_dev_t device) {
    built_ = nullptr;
    const auto vocabulary = TRY(session.vocabulary());
    HeldBuffers buffers(session);
    const validate::TensorValidator validator(*vocabulary, buffers);
    valid_ = TRY(validate::check_graph(validator, graph_));
    TRY(buffers.check_reach(device));
    ggml_cgraph* const built = TRY(builder_.build_graph(valid_, buffers));
    for (int i = 0; i < ggml_graph_n_nodes(built); ++i)
        TRY(check_supported(*ggml_graph_node(built, i), device));
    weights_.choose(valid_, builder_, buffers, device, session);
    indices_.choose(*vocabulary, valid_, builder_);
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
