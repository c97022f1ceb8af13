#include "backend/ggml_vocabulary.h"

#include <ggml.h>

namespace virtgpu::backend {

namespace {

std::string text(const char* name) {
    return name == nullptr ? std::string() : std::string(name);
}

validate::TypeTraits traits_of(ggml_type type) {
    const auto block_size = ggml_blck_size(type);
    const auto type_size = ggml_type_size(type);
    if (block_size <= 0 || type_size == 0)
        return {};
    return {text(ggml_type_name(type)), static_cast<uint32_t>(block_size),
            static_cast<uint32_t>(type_size)};
}

}  // namespace

std::shared_ptr<const validate::HostVocabulary> read_ggml_vocabulary() {
    auto vocabulary = std::make_shared<validate::HostVocabulary>();
    for (int op = 0; op < GGML_OP_COUNT; ++op)
        vocabulary->ops.push_back(
            validate::rules_for(text(ggml_op_name(static_cast<ggml_op>(op)))));
    for (int type = 0; type < GGML_TYPE_COUNT; ++type)
        vocabulary->types.push_back(traits_of(static_cast<ggml_type>(type)));
    for (int op = 0; op < GGML_UNARY_OP_COUNT; ++op)
        vocabulary->unary_ops.push_back(text(ggml_unary_op_name(static_cast<ggml_unary_op>(op))));
    for (int op = 0; op < GGML_GLU_OP_COUNT; ++op)
        vocabulary->glu_ops.push_back(text(ggml_glu_op_name(static_cast<ggml_glu_op>(op))));
    return vocabulary;
}

}  // namespace virtgpu::backend
