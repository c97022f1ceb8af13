// The table of operations: one row says all that has to hold for a node of it.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "backend/validate/op_rules.h"
#include "backend/validate/rules/rule.h"

namespace virtgpu::validate {

// What a node reads at one place. A place without types is empty.
struct SourceRule {
    constexpr SourceRule(TypeSet set = 0) : types(set) {}

    TypeSet types;
    bool optional = false;
    bool may_be_empty = false;  // have no elements although the result has
};

// Elements of one source that name rows or matrices of another operand: data, which no rule can
// see.
struct IndexRule {
    Operand indices = Operand::kResult;  // kResult: there are none
    Operand of = Operand::kResult;
    size_t dimension = 0;
};

struct OpRow {
    std::string_view name;
    TypeSet result;
    std::array<SourceRule, Node::kMaxSources> sources;
    std::array<Rule, 11> rules;  // in this order; those without a function are none
    IndexRule index{};
    OpKind kind = OpKind::kCompute;
};

std::span<const OpRow> op_table();

}  // namespace virtgpu::validate
