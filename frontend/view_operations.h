#pragma once

#include <ggml.h>

namespace virtgpu::frontend {

// Whether a node of this operation only names data that is there already.
inline bool computes_nothing(ggml_op op) {
    switch (op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE:
            return true;
        default:
            return false;
    }
}

}  // namespace virtgpu::frontend
