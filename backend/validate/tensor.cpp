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
    TRY(check_alignment(vocabulary_.traits(valid.type), tensor.ne, tensor.nb));
    TRY(translate_op(tensor, valid));
    std::memcpy(valid.name.data(), tensor.name.data(), valid.name.size() - 1);
    if (placement == Placement::kRequired)
        TRY(place({tensor.buffer, tensor.data_offset}, valid));
    return valid;
}

Result<ValidTensor> TensorValidator::check(const protocol::TensorData& tensor) const {
    ValidTensor valid;
    valid.type = TRY(vocabulary_.type(tensor.type));
    valid.op = vocabulary_.leaf_op();
    valid.ne = tensor.ne;
    valid.nb = tensor.nb;
    valid.extent = TRY(extent(vocabulary_.traits(valid.type), tensor.ne, tensor.nb));
    TRY(check_alignment(vocabulary_.traits(valid.type), tensor.ne, tensor.nb));
    TRY(place({tensor.buffer, tensor.data_offset}, valid));
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

Result<void> TensorValidator::place(const Place& place, ValidTensor& valid) const {
    if (place.buffer.generation == 0) {
        if (valid.extent != 0)
            return wire::fail(Fault::kPeer, "a tensor of {} bytes without a buffer", valid.extent);
        return {};
    }
    const uint64_t size = TRY(buffers_.size_of(place.buffer));
    // CVE-2024-42478, CVE-2024-42479: nothing outside the buffer, whatever the sum wraps to.
    if (place.offset > size || valid.extent > size - place.offset)
        return wire::fail(Fault::kPeer, "bytes {}+{} lie outside a buffer of {}", place.offset,
                          valid.extent, size);
    TRY(check_unused_strides(valid.ne, valid.nb, size));
    if (place.offset % alignment_of(vocabulary_.traits(valid.type)) != 0)
        return wire::fail(Fault::kRefused, "a tensor of {} at byte {}",
                          vocabulary_.traits(valid.type).name, place.offset);
    valid.place = place;
    valid.room = size - place.offset;
    return {};
}

}  // namespace virtgpu::validate
