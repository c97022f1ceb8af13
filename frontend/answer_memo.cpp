#include "frontend/answer_memo.h"

#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

namespace {

template <typename T>
void append(std::string& key, const T& value) {
    key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_layout(std::string& key, const ggml_tensor& tensor) {
    append(key, tensor.type);
    append(key, tensor.flags);
    append(key, tensor.ne);
    append(key, tensor.nb);
    append(key, tensor.view_src != nullptr);
    if (const ggml_tensor* const viewed = tensor.view_src; viewed != nullptr) {
        append(key, tensor.view_offs);
        append(key, viewed->type);
        append(key, viewed->flags);
        append(key, viewed->ne);
        append(key, viewed->nb);
    }
    // By the buffer type alone: llama.cpp asks with dummy buffers that have nothing else.
    append(key, reinterpret_cast<uintptr_t>(tensor.buffer ? tensor.buffer->buft : nullptr));
}

}  // namespace

std::string node_key(const ggml_tensor& node) {
    constexpr size_t kUsualBytes = 512;
    std::string key;
    key.reserve(kUsualBytes);
    append(key, node.op);
    append(key, node.op_params);
    append_layout(key, node);
    for (const ggml_tensor* source : node.src) {
        append(key, source != nullptr);
        if (source != nullptr)
            append_layout(key, *source);
    }
    return key;
}

bool may_need_more_than_its_bytes(const ggml_tensor& tensor) {
    return ggml_is_quantized(tensor.type) || ggml_op_alloc_size_may_expand(tensor.op);
}

}  // namespace virtgpu::frontend
