#include "backend/validate/type_set.h"

#include <algorithm>
#include <iterator>

namespace virtgpu::validate {

namespace {

struct Named {
    std::string_view name;
    TypeSet set;
};

constexpr Named kTypes[] = {
    {"f32", types::kF32},
    {"f16", types::kF16},
    {"bf16", types::kBF16},
    {"f64", types::kF64},
    {"i8", types::kI8},
    {"i16", types::kI16},
    {"i32", types::kI32},
    {"i64", types::kI64},
    {"q1_0", types::kBlocks},
    {"q2_0", types::kBlocks},
    {"q4_0", types::kBlocks},
    {"q4_1", types::kBlocks},
    {"q5_0", types::kBlocks},
    {"q5_1", types::kBlocks},
    {"q8_0", types::kBlocks},
    {"q2_K", types::kBlocks},
    {"q3_K", types::kBlocks},
    {"q4_K", types::kBlocks},
    {"q5_K", types::kBlocks},
    {"q6_K", types::kBlocks},
    {"iq4_nl", types::kBlocks},
    {"iq4_xs", types::kBlocks},
    {"tq1_0", types::kBlocks},
    {"tq2_0", types::kBlocks},
    {"mxfp4", types::kBlocks},
    {"nvfp4", types::kBlocks},
    {"iq1_s", types::kFixedBlocks},
    {"iq1_m", types::kFixedBlocks},
    {"iq2_xxs", types::kFixedBlocks},
    {"iq2_xs", types::kFixedBlocks},
    {"iq2_s", types::kFixedBlocks},
    {"iq3_xxs", types::kFixedBlocks},
    {"iq3_s", types::kFixedBlocks},
    {"q8_1", types::kInnerBlocks},
    {"q8_K", types::kInnerBlocks},
};

}  // namespace

TypeSet type_set_of(std::string_view name) {
    const auto* const found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                           [name](const Named& type) { return type.name == name; });
    return found == std::end(kTypes) ? types::kUnknown : found->set;
}

}  // namespace virtgpu::validate
