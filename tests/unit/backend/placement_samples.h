// What llama.cpp asks a device before it places a model's weights there: each operation that reads
// weights, with data of any shape that will do.
#pragma once

#include <ggml.h>

#include <vector>

#include "tests/unit/backend/op_samples.h"

namespace virtgpu::backend {

inline std::vector<Sample> placement_samples() {
    constexpr int64_t kTokens = 512;
    constexpr int64_t kSequences = 3;
    constexpr int64_t kExperts = 8;
    constexpr int64_t kExpertsUsed = 2;
    // More than the weights have.
    constexpr int64_t kAnySize = 123;
    return {
        [](const Maker& m) { return ggml_get_rows(m, m.q8(64, 96), m.i32(kTokens)); },
        [](const Maker& m) { return ggml_mul_mat(m, m.q8(64, 96), m.f32(64, kTokens)); },
        [](const Maker& m) {
            return ggml_mul_mat_id(m, m.q8(64, 96, kExperts), m.f32(64, kExpertsUsed, kTokens),
                                   m.i32(kExpertsUsed, kTokens));
        },
        [](const Maker& m) { return ggml_add(m, m.f32(64), m.f32(64)); },
        [](const Maker& m) {
            return ggml_add_id(m, m.f32(64, kExpertsUsed, kTokens), m.f32(64, kExperts),
                               m.i32(kExpertsUsed, kTokens));
        },
        [](const Maker& m) { return ggml_mul(m, m.f32(64), m.f32(64)); },
        [](const Maker& m) { return ggml_div(m, m.f32(64), m.f32(64)); },
        [](const Maker& m) {
            return ggml_rope_ext(m, m.f32(64, 4, kTokens), m.i32(kTokens), m.f32(32), 0, 0, 0, 0, 0,
                                 0, 0, 0, 0);
        },
        [](const Maker& m) {
            return ggml_ssm_conv(m, m.f32(4 - 1 + kTokens, 96, kSequences), m.f32(4, 96));
        },
        [](const Maker& m) {
            return ggml_ssm_scan(m, m.f32(16, 8, 12, kSequences), m.f32(8, 12, kTokens, kSequences),
                                 m.f32(12, kTokens, kSequences), m.f32(1, 12),
                                 m.f32(16, 1, kTokens, kSequences),
                                 m.f32(16, 1, kTokens, kSequences), m.i32(kSequences), 1);
        },
        [](const Maker& m) {
            ggml_tensor* const x = m.f32(kAnySize, kAnySize, kAnySize);
            return ggml_rwkv_wkv6(m, x, x, x, m.f32(64, 2), x,
                                  m.f32(kAnySize, kAnySize, kAnySize, kAnySize));
        },
        [](const Maker& m) {
            return ggml_im2col(m, m.f16(7, 64, 96), m.f32(64, 64), 1, 0, 0, 0, 1, 0, false,
                               GGML_TYPE_F16);
        },
        [](const Maker& m) { return ggml_scale(m, m.f32(64), 1.0F); },
    };
}

}  // namespace virtgpu::backend
