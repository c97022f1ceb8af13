#include "backend/validate/op_rules.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace virtgpu::validate {

namespace {

constexpr std::array<std::string_view, 4> kViews = {"VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"};

// Operations with a number of required sources other than one.
struct SourceCount {
    std::string_view op;
    uint32_t count;
};
constexpr SourceCount kSourceCounts[] = {
    {"NONE", 0},
    {"ARANGE", 0},
    {"ADD", 2},
    {"ADD1", 2},
    {"ACC", 2},
    {"SUB", 2},
    {"MUL", 2},
    {"DIV", 2},
    {"COUNT_EQUAL", 2},
    {"CONCAT", 2},
    {"SILU_BACK", 2},
    {"RMS_NORM_BACK", 2},
    {"MUL_MAT", 2},
    {"OUT_PROD", 2},
    {"SET", 2},
    {"CPY", 2},
    {"GET_ROWS", 2},
    {"GET_ROWS_BACK", 2},
    {"SET_ROWS", 2},
    {"SOFT_MAX_BACK", 2},
    {"ROPE", 2},
    {"ROPE_BACK", 2},
    {"CONV_TRANSPOSE_1D", 2},
    {"IM2COL", 2},
    {"IM2COL_BACK", 2},
    {"IM2COL_3D", 2},
    {"CONV_2D", 2},
    {"CONV_3D", 2},
    {"CONV_2D_DW", 2},
    {"CONV_TRANSPOSE_2D", 2},
    {"POOL_2D_BACK", 2},
    {"SSM_CONV", 2},
    {"SOLVE_TRI", 2},
    {"CROSS_ENTROPY_LOSS", 2},
    {"DSV4_HC_PRE", 2},
    {"ADD_ID", 3},
    {"MUL_MAT_ID", 3},
    {"FLASH_ATTN_EXT", 3},
    {"ADD_REL_POS", 3},
    {"DSV4_HC_COMB", 3},
    {"CROSS_ENTROPY_LOSS_BACK", 3},
    {"OPT_STEP_SGD", 3},
    {"DSV4_HC_POST", 3},
    {"FLASH_ATTN_BACK", 4},
    {"LIGHTNING_INDEXER", 4},
    {"GATED_LINEAR_ATTN", 5},
    {"OPT_STEP_ADAMW", 5},
    {"RWKV_WKV6", 6},
    {"GATED_DELTA_NET", 6},
    {"SSM_SCAN", 7},
    {"RWKV_WKV7", 7},
};

OpKind kind_of(std::string_view name) {
    if (name == "NONE")
        return OpKind::kNone;
    if (name == "UNARY")
        return OpKind::kUnary;
    if (name == "GLU")
        return OpKind::kGlu;
    // ggml issue 25289: the op_params of these hold an address that the host would call.
    if (name.find("CUSTOM") != std::string_view::npos)
        return OpKind::kForbidden;
    if (std::find(kViews.begin(), kViews.end(), name) != kViews.end())
        return OpKind::kView;
    return OpKind::kCompute;
}

}  // namespace

OpRules rules_for(std::string_view name) {
    const auto* const entry =
        std::find_if(std::begin(kSourceCounts), std::end(kSourceCounts),
                     [name](const SourceCount& candidate) { return candidate.op == name; });
    return {std::string(name), kind_of(name), entry == std::end(kSourceCounts) ? 1 : entry->count};
}

}  // namespace virtgpu::validate
