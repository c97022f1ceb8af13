// What another version of ggml would put on the wire: every operation and type has another number
// (OTHER_NUMBERS), or one operation has a name that the host does not know (UNKNOWN_OP).
#include <ggml.h>

#include <cstring>
#include <string_view>

#include "frontend/tensor_description.h"
#include "frontend/vocabulary.h"

namespace virtgpu::frontend {

// The linker gives calls of the functions to the ones with __wrap_, and keeps them under __real_.
protocol::HelloRequest real_hello_request(const char* version) asm(
    "__real__ZN7virtgpu8frontend13hello_requestEPKc");
void real_describe(const ggml_tensor& tensor, protocol::Tensor& description) asm(
    "__real__ZN7virtgpu8frontend8describeERK11ggml_tensorRNS_8protocol6TensorE");
void real_describe_leaf(const ggml_tensor& tensor, protocol::Tensor& description) asm(
    "__real__ZN7virtgpu8frontend13describe_leafERK11ggml_tensorRNS_8protocol6TensorE");
protocol::TensorData real_describe_data(const ggml_tensor& tensor, const TensorPlace& place) asm(
    "__real__ZN7virtgpu8frontend13describe_dataERK11ggml_tensorRKNS0_11TensorPlaceE");
void real_set_place(protocol::Tensor& description, const TensorPlace& place) asm(
    "__real__ZN7virtgpu8frontend9set_placeERNS_8protocol6TensorERKNS0_11TensorPlaceE");

protocol::HelloRequest other_hello_request(const char* version) asm(
    "__wrap__ZN7virtgpu8frontend13hello_requestEPKc");
void other_describe(const ggml_tensor& tensor, protocol::Tensor& description) asm(
    "__wrap__ZN7virtgpu8frontend8describeERK11ggml_tensorRNS_8protocol6TensorE");
void other_describe_leaf(const ggml_tensor& tensor, protocol::Tensor& description) asm(
    "__wrap__ZN7virtgpu8frontend13describe_leafERK11ggml_tensorRNS_8protocol6TensorE");
protocol::TensorData other_describe_data(const ggml_tensor& tensor, const TensorPlace& place) asm(
    "__wrap__ZN7virtgpu8frontend13describe_dataERK11ggml_tensorRKNS0_11TensorPlaceE");
void other_set_place(protocol::Tensor& description, const TensorPlace& place) asm(
    "__wrap__ZN7virtgpu8frontend9set_placeERNS_8protocol6TensorERKNS0_11TensorPlaceE");

namespace {

// Its own inverse. Each number is one that the host has as well, for something else.
uint32_t other_number(uint32_t number, int count) {
    return OTHER_NUMBERS ? static_cast<uint32_t>(count) - 1 - number : number;
}

void renumber(std::vector<protocol::Name>& names, int count) {
    for (protocol::Name& name : names) {
        name.value = other_number(name.value, count);
        if (name.name == UNKNOWN_OP)
            name.name += "_OF_TOMORROW";
    }
}

// The first parameter of these says which operation of its kind a node is.
int kinds_of(ggml_op op) {
    if (op == GGML_OP_UNARY)
        return GGML_UNARY_OP_COUNT;
    return op == GGML_OP_GLU ? GGML_GLU_OP_COUNT : 0;
}

void renumber_parameters(protocol::Tensor& tensor, ggml_op op) {
    uint32_t kind = 0;
    static_assert(sizeof kind == sizeof tensor.op_params[0]);
    std::memcpy(&kind, tensor.op_params.data(), sizeof kind);
    kind = other_number(kind, kinds_of(op));
    std::memcpy(tensor.op_params.data(), &kind, sizeof kind);
}

void renumber(protocol::Tensor& tensor) {
    const auto op = static_cast<ggml_op>(tensor.op);
    if (kinds_of(op) != 0)
        renumber_parameters(tensor, op);
    tensor.op = other_number(tensor.op, GGML_OP_COUNT);
    tensor.type = other_number(tensor.type, GGML_TYPE_COUNT);
}

}  // namespace

protocol::HelloRequest other_hello_request(const char* version) {
    protocol::HelloRequest request = real_hello_request(version);
    renumber(request.ops, GGML_OP_COUNT);
    renumber(request.types, GGML_TYPE_COUNT);
    renumber(request.unary_ops, GGML_UNARY_OP_COUNT);
    renumber(request.glu_ops, GGML_GLU_OP_COUNT);
    return request;
}

void other_describe(const ggml_tensor& tensor, protocol::Tensor& description) {
    real_describe(tensor, description);
    renumber(description);
}

void other_describe_leaf(const ggml_tensor& tensor, protocol::Tensor& description) {
    real_describe_leaf(tensor, description);
    renumber(description);
}

protocol::TensorData other_describe_data(const ggml_tensor& tensor, const TensorPlace& place) {
    protocol::TensorData data = real_describe_data(tensor, place);
    data.type = other_number(data.type, GGML_TYPE_COUNT);
    return data;
}

// It looks at ggml's type.
void other_set_place(protocol::Tensor& description, const TensorPlace& place) {
    description.type = other_number(description.type, GGML_TYPE_COUNT);
    real_set_place(description, place);
    description.type = other_number(description.type, GGML_TYPE_COUNT);
}

}  // namespace virtgpu::frontend
