#include "backend/copy_types.h"

#include <ggml.h>

namespace virtgpu::backend {

CopyTypes CopyTypes::of(ggml_backend_dev_t device) {
    CopyTypes types;
    types.device_ = device;
    const auto list =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    const ggml_backend_buffer_type_t* type = list == nullptr ? nullptr : list(device);
    for (; type != nullptr && *type != nullptr; ++type)
        if (ggml_backend_buffer_t const nothing = ggml_backend_buft_alloc_buffer(*type, 0);
            nothing != nullptr)
            types.types_.push_back({*type, nothing});
    return types;
}

CopyTypes::~CopyTypes() {
    for (const Candidate& candidate : types_)
        ggml_backend_buffer_free(candidate.nothing);
}

ggml_backend_buffer_type_t CopyTypes::best_for(const ggml_tensor& node) const {
    ggml_tensor weights = *node.src[0];
    ggml_tensor asked = node;
    asked.src[0] = &weights;
    for (const Candidate& candidate : types_) {
        weights.buffer = candidate.nothing;
        if (ggml_backend_dev_supports_op(device_, &asked))
            return candidate.type;
    }
    return nullptr;
}

}  // namespace virtgpu::backend
