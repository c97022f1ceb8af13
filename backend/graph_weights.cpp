#include "backend/graph_weights.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace virtgpu::backend {

namespace {

bool is_node_that_writes(const validate::ValidTensor& tensor) {
    return tensor.kind != validate::OpKind::kNone && tensor.kind != validate::OpKind::kView &&
           tensor.place;  // an edit may give it elements
}

// A whole tensor of its own, one element behind the other.
bool is_copyable(const validate::ValidGraphTensor& source, const ggml_tensor& tensor) {
    return source.tensor.kind == validate::OpKind::kNone && !source.view_source &&
           source.tensor.place && source.tensor.extent != 0 && ggml_is_contiguous(&tensor);
}

// A product as ggml_mul_mat() makes it. What kernels of other layouts do with others is not worth
// finding out.
bool is_usual_product(const ggml_tensor& node) {
    const ggml_tensor& weights = *node.src[0];
    const ggml_tensor& input = *node.src[1];
    return node.type == GGML_TYPE_F32 && ggml_is_contiguous(&node) &&
           input.nb[0] == ggml_type_size(input.type) && weights.ne[0] == input.ne[0] &&
           input.ne[2] % weights.ne[2] == 0 && input.ne[3] % weights.ne[3] == 0 &&
           node.ne[0] == weights.ne[1] && node.ne[1] == input.ne[1] && node.ne[2] == input.ne[2] &&
           node.ne[3] == input.ne[3];
}

// The same for ggml_mul_mat_id().
bool is_usual_product_by_id(const ggml_tensor& node) {
    const ggml_tensor& weights = *node.src[0];
    const ggml_tensor& input = *node.src[1];
    const ggml_tensor& ids = *node.src[2];
    return node.type == GGML_TYPE_F32 && ggml_is_contiguous(&node) &&
           input.nb[0] == ggml_type_size(input.type) && ids.type == GGML_TYPE_I32 &&
           weights.ne[0] == input.ne[0] && weights.ne[3] == 1 && input.ne[3] == 1 &&
           ids.ne[1] == input.ne[2] && ids.ne[2] == 1 && ids.ne[3] == 1 && input.ne[1] != 0 &&
           ids.ne[0] % input.ne[1] == 0 && node.ne[0] == weights.ne[1] && node.ne[1] == ids.ne[0] &&
           node.ne[2] == input.ne[2] && node.ne[3] == 1;
}

bool multiplies_weights(const ggml_tensor& node) {
    return (node.op == GGML_OP_MUL_MAT && is_usual_product(node)) ||
           (node.op == GGML_OP_MUL_MAT_ID && is_usual_product_by_id(node));
}

void forbid_copies_of_written(const validate::ValidGraph& graph, const HeldBuffers& buffers) {
    // Most nodes write where the one before did.
    protocol::Handle last;
    for (const uint32_t position : graph.nodes) {
        const validate::ValidTensor& tensor = graph.tensors[position].tensor;
        if (!is_node_that_writes(tensor) || tensor.place->buffer == last)
            continue;
        last = tensor.place->buffer;
        buffers.get(last).forbid_copies();
    }
}

}  // namespace

void GraphWeights::choose(const validate::ValidGraph& graph, const GraphBuilder& builder,
                          const HeldBuffers& buffers, ggml_backend_dev_t device, Session& session) {
    uses_.clear();
    owners_.clear();
    restored_ = false;
    if (!session.catalogue().copies_weights())
        return;
    forbid_copies_of_written(graph, buffers);
    const CopyTypes& types = session.catalogue().copy_types(device);
    if (types.empty())
        return;
    for (const uint32_t position : graph.nodes) {
        ggml_tensor& node = *builder.tensor(position);
        if (node.op != GGML_OP_MUL_MAT && node.op != GGML_OP_MUL_MAT_ID)
            continue;
        const auto& weights = graph.tensors[*graph.tensors[position].sources[0]];
        // In this order: weights of no elements are no product.
        if (!is_copyable(weights, *node.src[0]) || !multiplies_weights(node))
            continue;
        const validate::Place& place = *weights.tensor.place;
        const auto copies = buffers.get(place.buffer).copies();
        const auto copy =
            copies ? copies->copy_for(node, place.offset, types, session.memory(), session.log())
                   : WeightCopies::Copy();
        if (copy.tensor != nullptr && use_copy(node, *copy.tensor, device))
            owners_[copies.get()] = copies;
    }
}

bool GraphWeights::use_copy(ggml_tensor& node, ggml_tensor& copy, ggml_backend_dev_t device) {
    ggml_tensor* const original = std::exchange(node.src[0], &copy);
    // It may have been made for another node, or for another device.
    const bool usable = ggml_backend_dev_supports_op(device, &node);
    if (usable)
        uses_.push_back({&node, original});
    else
        node.src[0] = original;
    return usable;
}

bool GraphWeights::use_any_of(const std::vector<const ggml_tensor*>& nodes) const {
    const std::unordered_set<const ggml_tensor*> wanted(nodes.begin(), nodes.end());
    return restored_ || std::any_of(uses_.begin(), uses_.end(),
                                    [&](const Use& use) { return wanted.contains(use.node); });
}

bool GraphWeights::outdated() const {
    return std::any_of(owners_.begin(), owners_.end(), [](const auto& owner) {
        const auto copies = owner.second.lock();
        return !copies || copies->abandoned() || copies->stale();
    });
}

bool GraphWeights::bring_up_to_date(std::vector<std::shared_ptr<const void>>& held) {
    for (const auto& [key, owner] : owners_) {
        const auto copies = owner.lock();
        auto hold = copies ? copies->refresh() : nullptr;
        if (!hold) {
            restore();
            return true;
        }
        held.push_back(std::move(hold));
    }
    return false;
}

// All of them: that copies go while graphs need them is rare, and the next edit chooses again.
void GraphWeights::restore() {
    for (const Use& use : uses_)
        use.node->src[0] = use.original;
    restored_ = true;
    uses_.clear();
    owners_.clear();
}

}  // namespace virtgpu::backend
