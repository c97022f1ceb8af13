#include "backend/validate/tensor.h"

#include <cstring>

namespace virtgpu::validate {

namespace {

// GGML_TENSOR_FLAG_INPUT, OUTPUT, PARAM, LOSS and COMPUTE.
constexpr uint32_t kKnownFlags = 31;

}  // namespace

Result<ValidTensor> TensorValidator::check(const protocol::Tensor& tensor,
                                           Placement placement) const {
    ValidTensor valid;
    valid.type = TRY(vocabulary_.type(tensor.type));
    if ((tensor.flags & ~kKnownFlags) != 0)
        return wire::fail(Fault::kRefused, "unknown tensor flags {:#x}", tensor.flags);
    valid.flags = tensor.flags;
    valid.ne = tensor.ne;
    valid.nb = tensor.nb;
    valid.extent = TRY(extent(vocabulary_.traits(valid.type), tensor.ne, tensor.nb));
    TRY(translate_op(tensor, valid));
    std::memcpy(valid.name.data(), tensor.name.data(), valid.name.size() - 1);
    if (placement == Placement::kRequired)
        TRY(place(tensor, valid));
    return valid;
}

Result<void> TensorValidator::translate_op(const protocol::Tensor& tensor,
                                           ValidTensor& valid) const {
    valid.op = TRY(vocabulary_.op(tensor.op));
    valid.kind = vocabulary_.rules(valid.op).kind;
    valid.op_params = tensor.op_params;
    const auto variant = static_cast<uint32_t>(tensor.op_params[0]);
    if (valid.kind == OpKind::kUnary)
        valid.op_params[0] = static_cast<int32_t>(TRY(vocabulary_.unary_op(variant)));
    if (valid.kind == OpKind::kGlu)
        valid.op_params[0] = static_cast<int32_t>(TRY(vocabulary_.glu_op(variant)));
    return {};
}

Result<void> TensorValidator::place(const protocol::Tensor& tensor, ValidTensor& valid) const {
    if (tensor.buffer.generation == 0) {
        if (valid.extent != 0)
            return wire::fail(Fault::kPeer, "a tensor of {} bytes without a buffer", valid.extent);
        return {};
    }
    const uint64_t size = TRY(buffers_.size_of(tensor.buffer));
    // CVE-2024-42478, CVE-2024-42479: nothing outside the buffer, whatever the sum wraps to.
    if (tensor.data_offset > size || valid.extent > size - tensor.data_offset)
        return wire::fail(Fault::kPeer, "bytes {}+{} lie outside a buffer of {}",
                          tensor.data_offset, valid.extent, size);
    TRY(check_unused_strides(tensor.ne, tensor.nb, size));
    valid.place = Place{tensor.buffer, tensor.data_offset};
    return {};
}

}  // namespace virtgpu::validate
