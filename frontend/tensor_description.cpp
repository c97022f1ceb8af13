#include "frontend/tensor_description.h"

#include <algorithm>
#include <cstring>

namespace virtgpu::frontend {

namespace {

// As ggml lays tensors out. Only for strides that the host would refuse: backends tell permuted
// tensors by the order of all their strides.
uint64_t contiguous_stride(const protocol::Tensor& tensor, ggml_type type, size_t dimension,
                           uint64_t limit) {
    if (dimension == 0)
        return ggml_type_size(type);
    const uint64_t before = tensor.nb[dimension - 1];
    const int64_t block = dimension == 1 ? ggml_blck_size(type) : 1;
    const uint64_t stride = before * static_cast<uint64_t>(tensor.ne[dimension - 1] / block);
    return stride <= limit ? stride : before;
}

}  // namespace

void set_place(protocol::Tensor& description, const TensorPlace& place) {
    description.buffer = place.buffer;
    description.data_offset = place.offset;
    if (place.buffer.generation == 0)
        return;
    const auto type = static_cast<ggml_type>(description.type);
    for (size_t i = 0; i < description.nb.size(); ++i)
        if (description.ne[i] == 1 && description.nb[i] > place.buffer_size)
            description.nb[i] = contiguous_stride(description, type, i, place.buffer_size);
}

void describe_leaf(const ggml_tensor& tensor, protocol::Tensor& description) {
    description.type = static_cast<uint32_t>(tensor.type);
    description.op = static_cast<uint32_t>(GGML_OP_NONE);
    description.flags = static_cast<uint32_t>(tensor.flags);
    std::copy_n(tensor.ne, description.ne.size(), description.ne.begin());
    std::copy_n(tensor.nb, description.nb.size(), description.nb.begin());
    static_assert(sizeof description.name == sizeof tensor.name);
    // Bytes behind the terminating zero are what was there before; they are not sent.
    std::memcpy(description.name.data(), tensor.name, strnlen(tensor.name, sizeof tensor.name - 1));
}

protocol::TensorData describe_data(const ggml_tensor& tensor, const TensorPlace& place) {
    protocol::Tensor whole;
    describe_leaf(tensor, whole);
    set_place(whole, place);
    return {whole.type, whole.ne, whole.nb, whole.buffer, whole.data_offset};
}

void describe(const ggml_tensor& tensor, protocol::Tensor& description) {
    describe_leaf(tensor, description);
    description.op = static_cast<uint32_t>(tensor.op);
    static_assert(sizeof description.op_params == sizeof tensor.op_params);
    std::memcpy(description.op_params.data(), tensor.op_params, sizeof tensor.op_params);
}

}  // namespace virtgpu::frontend
