#include "frontend/vocabulary.h"

#include <ggml.h>

namespace virtgpu::frontend {

namespace {

// `name_of` gives ggml's name of a number, null or empty where there is none.
template <typename NameOf>
std::vector<protocol::Name> names(int count, NameOf name_of) {
    std::vector<protocol::Name> list;
    for (int value = 0; value < count; ++value) {
        const char* const name = name_of(value);
        // A retired ggml_type keeps its number, under a name for people.
        if (name != nullptr && *name != '\0')
            list.push_back({static_cast<uint32_t>(value), name});
    }
    return list;
}

const char* type_name(int value) {
    const auto type = static_cast<ggml_type>(value);
    return ggml_blck_size(type) > 0 ? ggml_type_name(type) : nullptr;
}

}  // namespace

protocol::HelloRequest hello_request(const char* frontend_version) {
    protocol::HelloRequest request;
    request.level2_version = protocol::kLevel2Version;
    request.frontend = frontend_version;
    request.ggml = ggml_version();
    request.ops =
        names(GGML_OP_COUNT, [](int op) { return ggml_op_name(static_cast<ggml_op>(op)); });
    request.types = names(GGML_TYPE_COUNT, type_name);
    request.unary_ops = names(GGML_UNARY_OP_COUNT, [](int op) {
        return ggml_unary_op_name(static_cast<ggml_unary_op>(op));
    });
    request.glu_ops = names(GGML_GLU_OP_COUNT,
                            [](int op) { return ggml_glu_op_name(static_cast<ggml_glu_op>(op)); });
    return request;
}

}  // namespace virtgpu::frontend
