// What the validator knows of each operation. Operations are known by ggml's names, because their
// numbers differ between versions of ggml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/result.h"

namespace virtgpu::validate {

using wire::Fault;
using wire::Result;

class Node;
struct OpRow;

enum class OpKind : uint8_t {
    kNone,       // a leaf
    kView,       // computes nothing: VIEW, RESHAPE, PERMUTE, TRANSPOSE
    kUnary,      // op_params[0] is a ggml_unary_op
    kGlu,        // op_params[0] is a ggml_glu_op
    kCompute,    // everything else
    kForbidden,  // of which no rules are known, or whose op_params hold a function pointer
};

struct OpRules {
    std::string name;
    OpKind kind = OpKind::kForbidden;
    const OpRow* row = nullptr;  // in the table of operations; null for what is forbidden
};

// The rules of the operation that ggml calls `name`: a row of op_table.cpp.
OpRules rules_for(std::string_view name);

// Whether ggml's own function for this operation could have made the node. Kernels rely on that;
// where they look at all they abort the process. Fault::kRefused with the rule that does not hold.
Result<void> check_node(const OpRules& rules, const Node& node);

// Where the node's data names elements of what it reads or writes: the source with the indices, and
// what they have to be less than.
struct Indices {
    size_t source = 0;
    int64_t bound = 0;
};
std::optional<Indices> indices_of(const OpRules& rules, const Node& node);

}  // namespace virtgpu::validate
