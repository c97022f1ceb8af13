// What the validator knows of each operation. Operations are known by ggml's names, because their
// numbers differ between versions of ggml.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/result.h"

namespace virtgpu::validate {

using wire::Fault;
using wire::Result;

enum class OpKind {
    kNone,       // a leaf
    kView,       // computes nothing: VIEW, RESHAPE, PERMUTE, TRANSPOSE
    kUnary,      // op_params[0] is a ggml_unary_op
    kGlu,        // op_params[0] is a ggml_glu_op
    kCompute,    // everything else
    kForbidden,  // op_params hold a function pointer
};

struct OpRules {
    std::string name;
    OpKind kind = OpKind::kForbidden;
    // Sources, from the first, that the backends read without looking whether they are there.
    uint32_t required_sources = 0;
};

// The rules of the operation that ggml calls `name`. Rules for shapes per operation belong here.
OpRules rules_for(std::string_view name);

}  // namespace virtgpu::validate
