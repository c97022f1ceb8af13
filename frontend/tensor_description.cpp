#include "frontend/tensor_description.h"

#include <algorithm>
#include <cstring>

namespace virtgpu::frontend {

namespace {

protocol::Tensor describe_data(const ggml_tensor& tensor) {
    protocol::Tensor description;
    description.type = static_cast<uint32_t>(tensor.type);
    description.op = static_cast<uint32_t>(GGML_OP_NONE);
    description.flags = static_cast<uint32_t>(tensor.flags);
    std::copy_n(tensor.ne, description.ne.size(), description.ne.begin());
    std::copy_n(tensor.nb, description.nb.size(), description.nb.begin());
    static_assert(sizeof description.name == sizeof tensor.name);
    // Bytes behind the terminating zero are what was there before; they are not sent.
    std::memcpy(description.name.data(), tensor.name, strnlen(tensor.name, sizeof tensor.name - 1));
    return description;
}

}  // namespace

protocol::Tensor describe_leaf(const ggml_tensor& tensor) {
    return describe_data(tensor);
}

protocol::Tensor describe(const ggml_tensor& tensor) {
    protocol::Tensor description = describe_data(tensor);
    description.op = static_cast<uint32_t>(tensor.op);
    static_assert(sizeof description.op_params == sizeof tensor.op_params);
    std::memcpy(description.op_params.data(), tensor.op_params, sizeof tensor.op_params);
    return description;
}

}  // namespace virtgpu::frontend
