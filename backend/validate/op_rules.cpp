#include "backend/validate/op_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/validate/op_table.h"

namespace virtgpu::validate {

namespace {

// Kernels keep dimensions and numbers of rows in an int.
constexpr int64_t kLargestCount = INT32_MAX;

std::string name_of(Operand x) {
    return x == Operand::kResult ? "the result" : fmt::format("source {}", static_cast<int>(x) - 1);
}

bool has_countable_rows(const Node& node, Operand x) {
    const Elements& ne = node[x].ne;
    return std::all_of(ne.begin(), ne.end(), [](int64_t n) { return n <= kLargestCount; }) &&
           product({ne[1], ne[2], ne[3]}) <= kLargestCount;
}

// The sources that ggml's function would have set, of types that it takes.
Result<void> check_types(const OpRow& row, const Node& node) {
    if (!node.is(Operand::kResult, row.result))
        return wire::fail(Fault::kRefused, "{} has no result of this type", row.name);
    for (size_t i = 0; i < row.sources.size(); ++i) {
        const SourceRule& source = row.sources[i];
        const Operand x = source_operand(i);
        if (!node.has(x) && source.types != 0 && !source.optional)
            return wire::fail(Fault::kRefused, "{} without its source {}", row.name, i);
        if (node.has(x) && !node.is(x, source.types))
            return wire::fail(Fault::kRefused, "{} does not read {} of this type", row.name,
                              name_of(x));
    }
    return {};
}

// ggml's kernels divide by dimensions of what they read.
Result<void> check_counts(const OpRow& row, const Node& node) {
    for (size_t i = 0; i <= row.sources.size(); ++i) {
        const auto x = static_cast<Operand>(i);
        if (!node.has(x))
            continue;
        if (i > 0 && node.empty(x) && !row.sources[i - 1].may_be_empty)
            return wire::fail(Fault::kRefused, "{}: {} is empty", row.name, name_of(x));
        if (!has_countable_rows(node, x))
            return wire::fail(Fault::kRefused, "{}: {} is too large", row.name, name_of(x));
    }
    return {};
}

}  // namespace

OpRules rules_for(std::string_view name) {
    const auto table = op_table();
    const auto row = std::find_if(table.begin(), table.end(), [name](const OpRow& candidate) {
        return candidate.name == name;
    });
    if (row == table.end())
        return {std::string(name), OpKind::kForbidden, nullptr};
    return {std::string(name), row->kind, &*row};
}

Result<void> check_node(const OpRules& rules, const Node& node) {
    if (rules.row == nullptr)
        return wire::fail(Fault::kRefused, "{} is no operation for guests", rules.name);
    const OpRow& row = *rules.row;
    TRY(check_types(row, node));
    // Nothing is computed, and ggml makes such nodes of whatever is empty.
    if (row.kind == OpKind::kNone || row.kind == OpKind::kView || node.empty(Operand::kResult))
        return {};
    TRY(check_counts(row, node));
    for (const Rule& rule : row.rules)
        if (rule.holds != nullptr && !rule.holds(node, rule))
            return wire::fail(
                Fault::kRefused, "{}: {}", row.name,
                fmt::format(fmt::runtime(rule.text), name_of(rule.x), name_of(rule.y), rule.word));
    return {};
}

std::optional<Indices> indices_of(const OpRules& rules, const Node& node) {
    if (rules.row == nullptr || rules.row->index.indices == Operand::kResult)
        return std::nullopt;
    const IndexRule& index = rules.row->index;
    return Indices{static_cast<size_t>(index.indices) - 1, node.ne(index.of, index.dimension)};
}

}  // namespace virtgpu::validate
