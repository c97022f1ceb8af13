// ggml 0.27's types and all operations of the validator's table, guest and host alike.
#pragma once

#include "backend/validate/op_table.h"
#include "backend/validate/vocabulary.h"

namespace virtgpu::fuzz {

inline const std::vector<validate::TypeTraits>& ggml_types() {
    static const std::vector<validate::TypeTraits> types = {
        {"f32", 1, 4},        {"f16", 1, 2},       {"q4_0", 32, 18},     {"q4_1", 32, 20},
        {"", 0, 0},           {"", 0, 0},          {"q5_0", 32, 22},     {"q5_1", 32, 24},
        {"q8_0", 32, 34},     {"q8_1", 32, 36},    {"q2_K", 256, 84},    {"q3_K", 256, 110},
        {"q4_K", 256, 144},   {"q5_K", 256, 176},  {"q6_K", 256, 210},   {"q8_K", 256, 292},
        {"iq2_xxs", 256, 66}, {"iq2_xs", 256, 74}, {"iq3_xxs", 256, 98}, {"iq1_s", 256, 50},
        {"iq4_nl", 32, 18},   {"iq3_s", 256, 110}, {"iq2_s", 256, 82},   {"iq4_xs", 256, 136},
        {"i8", 1, 1},         {"i16", 1, 2},       {"i32", 1, 4},        {"i64", 1, 8},
        {"f64", 1, 8},        {"iq1_m", 256, 56},  {"bf16", 1, 2},       {"", 0, 0},
        {"", 0, 0},           {"", 0, 0},          {"tq1_0", 256, 54},   {"tq2_0", 256, 66},
        {"", 0, 0},           {"", 0, 0},          {"", 0, 0},           {"mxfp4", 32, 17},
        {"nvfp4", 64, 36},    {"q1_0", 128, 18},   {"q2_0", 64, 18}};
    return types;
}

inline const std::vector<std::string>& unary_ops() {
    static const std::vector<std::string> names = {
        "ABS",      "SGN",        "NEG",   "STEP",      "TANH",        "ELU",  "RELU",  "SIGMOID",
        "GELU",     "GELU_QUICK", "SILU",  "HARDSWISH", "HARDSIGMOID", "EXP",  "EXPM1", "SOFTPLUS",
        "GELU_ERF", "XIELU",      "FLOOR", "CEIL",      "ROUND",       "TRUNC"};
    return names;
}

inline const std::vector<std::string>& glu_ops() {
    static const std::vector<std::string> names = {
        "REGLU", "GEGLU", "SWIGLU", "SWIGLU_OAI", "GEGLU_ERF", "GEGLU_QUICK", "SWIGLU_CLAMP"};
    return names;
}

// The operations' numbers are their places in the table.
inline validate::Vocabulary make_vocabulary() {
    auto host = std::make_shared<validate::HostVocabulary>();
    protocol::HelloRequest guest;
    for (const validate::OpRow& row : validate::op_table()) {
        guest.ops.push_back({static_cast<uint32_t>(host->ops.size()), std::string(row.name)});
        host->ops.push_back(validate::rules_for(row.name));
    }
    host->types = ggml_types();
    host->unary_ops = unary_ops();
    host->glu_ops = glu_ops();
    const auto name = [](std::vector<protocol::Name>& to, const std::string& text, size_t number) {
        if (!text.empty())
            to.push_back({static_cast<uint32_t>(number), text});
    };
    for (size_t i = 0; i < host->types.size(); ++i)
        name(guest.types, host->types[i].name, i);
    for (size_t i = 0; i < host->unary_ops.size(); ++i)
        name(guest.unary_ops, host->unary_ops[i], i);
    for (size_t i = 0; i < host->glu_ops.size(); ++i)
        name(guest.glu_ops, host->glu_ops[i], i);
    return *validate::Vocabulary::negotiate(host, guest);
}

}  // namespace virtgpu::fuzz
