#include "backend/graph_builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace virtgpu::backend {

namespace {

// Memory above this is given back when the next graph needs less.
constexpr size_t kKeptBytes = size_t{16} << 20;

static_assert(GGML_MAX_DIMS == 4 && GGML_MAX_SRC == 10);
static_assert(sizeof(ggml_tensor::op_params) == sizeof(validate::ValidTensor::op_params));
static_assert(sizeof(ggml_tensor::name) == sizeof(validate::ValidTensor::name));

int32_t flags_of(const validate::ValidGraphTensor& tensor) {
    const auto flags = static_cast<int32_t>(tensor.tensor.flags);
    return tensor.used_outside ? flags | GGML_TENSOR_FLAG_OUTPUT : flags;
}

}  // namespace

GraphBuilder::~GraphBuilder() {
    ggml_free(context_);
}

void GraphBuilder::start(size_t tensors, size_t graph_size) {
    ggml_free(std::exchange(context_, nullptr));
    const size_t graph_bytes =
        graph_size == 0 ? 0 : ggml_graph_overhead_custom(graph_size, /*grads=*/false);
    const size_t needed = tensors * ggml_tensor_overhead() + graph_bytes;
    if (needed > capacity_ || (capacity_ > kKeptBytes && needed <= kKeptBytes)) {
        // In this order: the allocation may throw.
        capacity_ = 0;
        memory_.reset(new std::byte[needed]);
        capacity_ = needed;
    }
    // With memory of ours ggml never has to allocate, where it would abort on failure.
    context_ = ggml_init({.mem_size = needed, .mem_buffer = memory_.get(), .no_alloc = true});
    tensors_.clear();
    tensors_.reserve(tensors);
}

ggml_tensor* GraphBuilder::add(const validate::ValidTensor& tensor, const HeldBuffers& buffers) {
    ggml_tensor* const made =
        ggml_new_tensor(context_, static_cast<ggml_type>(tensor.type), 4, tensor.ne.data());
    describe(*made, tensor, buffers);
    tensors_.push_back(made);
    return made;
}

void GraphBuilder::describe(ggml_tensor& made, const validate::ValidTensor& tensor,
                            const HeldBuffers& buffers) {
    std::copy(tensor.nb.begin(), tensor.nb.end(), made.nb);
    made.op = static_cast<ggml_op>(tensor.op);
    std::memcpy(made.op_params, tensor.op_params.data(), sizeof made.op_params);
    std::memcpy(made.name, tensor.name.data(), sizeof made.name);
    made.buffer = nullptr;
    made.data = nullptr;
    if (tensor.place) {
        const Buffer& buffer = buffers.get(tensor.place->buffer);
        made.buffer = buffer.get();
        made.data = buffer.address(tensor.place->offset);
    }
}

void GraphBuilder::update(uint32_t position, const validate::ValidGraphTensor& tensor,
                          const HeldBuffers& buffers) {
    ggml_tensor& made = *tensors_[position];
    made.type = static_cast<ggml_type>(tensor.tensor.type);
    std::copy(tensor.tensor.ne.begin(), tensor.tensor.ne.end(), made.ne);
    describe(made, tensor.tensor, buffers);
    made.view_offs = tensor.view_offset;
    made.flags = flags_of(tensor);
}

void GraphBuilder::add_tensors(const validate::ValidGraph& graph, const HeldBuffers& buffers) {
    for (const validate::ValidGraphTensor& tensor : graph.tensors) {
        ggml_tensor* const made = add(tensor.tensor, buffers);
        for (size_t i = 0; i < tensor.sources.size(); ++i)
            if (tensor.sources[i])
                made->src[i] = tensors_[*tensor.sources[i]];
        if (tensor.view_source) {
            made->view_src = tensors_[*tensor.view_source];
            made->view_offs = tensor.view_offset;
        }
    }
}

ggml_tensor* GraphBuilder::build_tensor(const validate::ValidTensor& tensor,
                                        const HeldBuffers& buffers) {
    start(1, 0);
    ggml_tensor* const made = add(tensor, buffers);
    made->flags = static_cast<int32_t>(tensor.flags);
    return made;
}

ggml_tensor* GraphBuilder::build_last(const validate::ValidGraph& graph,
                                      const HeldBuffers& buffers) {
    start(graph.tensors.size(), 0);
    add_tensors(graph, buffers);
    for (size_t i = 0; i < tensors_.size(); ++i)
        tensors_[i]->flags = static_cast<int32_t>(graph.tensors[i].tensor.flags);
    return tensors_.back();
}

std::unordered_map<const ggml_tensor*, uint32_t> GraphBuilder::positions() const {
    std::unordered_map<const ggml_tensor*, uint32_t> positions;
    for (uint32_t i = 0; i < tensors_.size(); ++i)
        positions.emplace(tensors_[i], i);
    return positions;
}

Result<ggml_cgraph*> GraphBuilder::build_graph(const validate::ValidGraph& graph,
                                               const HeldBuffers& buffers) {
    const size_t graph_size = graph.tensors.size() + 1;
    start(graph.tensors.size(), graph_size);
    add_tensors(graph, buffers);
    ggml_cgraph* const made = ggml_new_graph_custom(context_, graph_size, /*grads=*/false);
    // Sources come first in the list, so each call adds its node and nothing else but leaves.
    int count = 0;
    for (const uint32_t position : graph.nodes) {
        if (!validate::is_computed(graph.tensors[position]))
            continue;
        ggml_build_forward_expand(made, tensors_[position]);
        if (ggml_graph_n_nodes(made) != ++count ||
            ggml_graph_node(made, count - 1) != tensors_[position])
            return wire::fail(Fault::kSystem, "ggml put node {} of a graph elsewhere", count - 1);
    }
    // Only now: building sets GGML_TENSOR_FLAG_COMPUTE on every node, also on those that the guest
    // wants skipped, and takes leaves with GGML_TENSOR_FLAG_PARAM for nodes.
    for (size_t i = 0; i < tensors_.size(); ++i)
        tensors_[i]->flags = flags_of(graph.tensors[i]);
    return made;
}

}  // namespace virtgpu::backend
