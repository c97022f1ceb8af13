#include "frontend/level1/forward_tensors.h"

#include <algorithm>
#include <cstring>

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

// In the place of a pointer: the host looks only whether it is 0.
constexpr uint64_t kSomePointer = 1;

uint64_t id_of(const ggml_tensor* tensor) {
    return reinterpret_cast<uintptr_t>(tensor);
}

protocol::GgmlTensor ggml_tensor_of(const ggml_tensor& tensor) {
    protocol::GgmlTensor description;
    description.type = static_cast<uint32_t>(tensor.type);
    std::copy_n(tensor.ne, description.ne.size(), description.ne.begin());
    std::copy_n(tensor.nb, description.nb.size(), description.nb.begin());
    description.op = static_cast<uint32_t>(tensor.op);
    std::copy_n(tensor.op_params, description.op_params.size(), description.op_params.begin());
    description.flags = tensor.flags;
    description.view_offset = tensor.view_offs;
    std::memcpy(description.name.data(), tensor.name, strnlen(tensor.name, sizeof tensor.name - 1));
    return description;
}

}  // namespace

Result<protocol::ForwardTensor> forward_tensor(const ggml_tensor& tensor,
                                               const ForwardPlace& place) {
    protocol::ForwardTensor description;
    description.id = id_of(&tensor);
    description.type = static_cast<uint32_t>(tensor.type);
    description.buffer = place.buffer;
    description.data = place.offset;
    for (size_t i = 0; i < description.ne.size(); ++i) {
        description.ne[i] = static_cast<uint32_t>(tensor.ne[i]);
        description.nb[i] = static_cast<uint32_t>(tensor.nb[i]);
        // A stride over one element is never used.
        const bool fits = description.ne[i] == static_cast<uint64_t>(tensor.ne[i]) &&
                          (description.nb[i] == tensor.nb[i] || tensor.ne[i] == 1);
        if (!fits)
            return wire::fail(Fault::kRefused,
                              "tensor '{}' is too large for a host that speaks level 1 only: its "
                              "dimension {} has {} elements, {} bytes apart",
                              tensor.name, i, tensor.ne[i], tensor.nb[i]);
    }
    description.op = static_cast<uint32_t>(GGML_OP_NONE);
    description.flags = tensor.flags;
    std::memcpy(description.name.data(), tensor.name, strnlen(tensor.name, sizeof tensor.name - 1));
    return description;
}

protocol::ForwardNode forward_node(const ggml_tensor& node) {
    protocol::ForwardNode description;
    description.tensor = ggml_tensor_of(node);
    if (node.view_src != nullptr) {
        description.tensor.view_source = kSomePointer;
        description.view_source = ggml_tensor_of(*node.view_src);
    }
    // The host reads as many as there are before the first that is missing.
    for (size_t i = 0; i < GGML_MAX_SRC && node.src[i] != nullptr; ++i) {
        description.tensor.source[i] = kSomePointer;
        description.sources.push_back(ggml_tensor_of(*node.src[i]));
    }
    return description;
}

void ForwardGraphEncoder::clear() {
    graph_.nodes.clear();
    graph_.tensors.clear();
    known_.clear();
}

Result<void> ForwardGraphEncoder::add(const ggml_tensor& tensor, protocol::ForwardTensor entry) {
    if (tensor.view_src != nullptr) {
        entry.view_source = TRY(reference(*tensor.view_src));
        entry.view_offset = tensor.view_offs;
    }
    known_.insert(&tensor);
    graph_.tensors.push_back(entry);
    return {};
}

Result<void> ForwardGraphEncoder::add_node(const ggml_tensor& node) {
    auto entry = TRY(forward_tensor(node, TRY(place_(node))));
    entry.op = static_cast<uint32_t>(node.op);
    std::copy_n(node.op_params, entry.op_params.size(), entry.op_params.begin());
    for (size_t i = 0; i < entry.source.size(); ++i)
        if (node.src[i] != nullptr)
            entry.source[i] = TRY(reference(*node.src[i]));
    TRY(add(node, entry));
    graph_.nodes.push_back(entry.id);
    return {};
}

Result<uint64_t> ForwardGraphEncoder::reference(const ggml_tensor& tensor) {
    if (!known_.contains(&tensor))
        TRY(add(tensor, TRY(forward_tensor(tensor, TRY(place_(tensor))))));
    return id_of(&tensor);
}

}  // namespace virtgpu::frontend
