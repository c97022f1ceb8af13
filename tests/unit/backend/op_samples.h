// One node and more of every operation, made by ggml's own functions.
#pragma once

#include <ggml.h>

#include <array>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace virtgpu::backend {

// Makes tensors without data.
class Maker {
 public:
    explicit Maker(ggml_context* context) : context_(context) {}

    operator ggml_context*() const { return context_; }
    ggml_tensor* make(ggml_type type, int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1,
                      int64_t ne3 = 1) const {
        return ggml_new_tensor_4d(context_, type, ne0, ne1, ne2, ne3);
    }
    ggml_tensor* f32(int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1, int64_t ne3 = 1) const {
        return make(GGML_TYPE_F32, ne0, ne1, ne2, ne3);
    }
    ggml_tensor* f16(int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1, int64_t ne3 = 1) const {
        return make(GGML_TYPE_F16, ne0, ne1, ne2, ne3);
    }
    ggml_tensor* i32(int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1, int64_t ne3 = 1) const {
        return make(GGML_TYPE_I32, ne0, ne1, ne2, ne3);
    }
    ggml_tensor* q8(int64_t ne0, int64_t ne1 = 1, int64_t ne2 = 1, int64_t ne3 = 1) const {
        return make(GGML_TYPE_Q8_0, ne0, ne1, ne2, ne3);
    }
    ggml_tensor* parameter(int64_t ne0, int64_t ne1) const {
        ggml_tensor* const made = f32(ne0, ne1);
        ggml_set_param(made);
        return made;
    }

 private:
    ggml_context* context_;
};

using Sample = std::function<ggml_tensor*(const Maker&)>;

inline ggml_tensor* rope_sample(const Maker& m, int mode, bool factors) {
    std::array<int, 4> sections{8, 4, 4, 0};
    ggml_tensor* const freq = factors ? m.f32(16) : nullptr;
    if (mode < GGML_ROPE_TYPE_MROPE)
        return ggml_rope_ext(m, m.f32(32, 2, 3), m.i32(3), freq, 32, mode, 0, 1e4F, 1, 0, 1, 32, 1);
    return ggml_rope_multi(m, m.f32(32, 2, 3), m.i32(12), freq,
                           mode == GGML_ROPE_TYPE_VISION ? 16 : 32, sections.data(), mode, 0, 1e4F,
                           1, 0, 1, 32, 1);
}

// Deprecated, and still what older guests send.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
inline ggml_tensor* add1_sample(const Maker& m) {
    return ggml_add1(m, m.f32(8, 6), m.f32(1));
}
#pragma GCC diagnostic pop

inline std::vector<Sample> copy_samples() {
    return {
        [](const Maker& m) { return ggml_dup(m, m.f32(5, 4, 3, 2)); },
        [](const Maker& m) { return ggml_cont(m, ggml_permute(m, m.f32(5, 4, 3, 2), 1, 0, 3, 2)); },
        [](const Maker& m) { return ggml_cont_2d(m, ggml_transpose(m, m.f16(6, 4)), 12, 2); },
        [](const Maker& m) { return ggml_cpy(m, m.f32(64, 3), m.q8(64, 3)); },
        [](const Maker& m) { return ggml_cpy(m, m.q8(64, 3), m.f32(96, 2)); },
        [](const Maker& m) { return ggml_cpy(m, m.q8(64, 3), m.q8(96, 2)); },
        [](const Maker& m) { return ggml_cpy(m, m.f32(6, 4), ggml_transpose(m, m.f16(6, 4))); },
        [](const Maker& m) { return ggml_cast(m, m.f32(7, 3), GGML_TYPE_I32); },
        [](const Maker& m) { return ggml_repeat(m, m.f32(2, 3), m.f32(4, 3, 2)); },
        [](const Maker& m) { return ggml_repeat_back(m, m.f32(4, 3, 2), m.f32(2, 3)); },
        [](const Maker& m) { return ggml_concat(m, m.f32(4, 3, 2), m.f32(4, 5, 2), 1); },
        [](const Maker& m) { return ggml_concat(m, m.i32(4, 3), m.i32(2, 3), 0); },
        [](const Maker& m) { return ggml_get_rows(m, m.q8(32, 6, 2), m.i32(5, 2)); },
        [](const Maker& m) { return ggml_get_rows(m, m.i32(7, 6), m.i32(5)); },
        [](const Maker& m) { return ggml_get_rows_back(m, m.f32(8, 5), m.i32(5), m.f32(8, 9)); },
        [](const Maker& m) {
            return ggml_set_rows(m, m.f16(32, 9, 2), m.f32(32, 5, 2), m.make(GGML_TYPE_I64, 5, 1));
        },
        [](const Maker& m) { return ggml_set_rows(m, m.q8(32, 9), m.f32(32, 5), m.i32(5)); },
        [](const Maker& m) { return ggml_set_2d(m, m.f32(8, 6), m.f32(3, 2), 32, 68); },
        [](const Maker& m) { return ggml_acc(m, m.f32(8, 6), m.f32(3, 2), 32, 192, 192, 68); },
        [](const Maker& m) { return ggml_pad_ext(m, m.f32(5, 4), 1, 2, 0, 3, 1, 0, 0, 0); },
        [](const Maker& m) {
            return ggml_pad_ext_circular(m, m.f32(5, 4), 1, 2, 0, 3, 0, 0, 0, 0);
        },
        [](const Maker& m) { return ggml_pad_reflect_1d(m, m.f32(8, 3), 3, 5); },
        [](const Maker& m) { return ggml_roll(m, m.f32(8, 3, 2), 3, -2, 1, 0); },
        [](const Maker& m) { return ggml_upscale(m, m.f32(4, 3, 2), 2, GGML_SCALE_MODE_NEAREST); },
        [](const Maker& m) {
            return ggml_interpolate(m, m.f32(8, 6, 2), 5, 9, 2, 1,
                                    uint32_t{GGML_SCALE_MODE_BILINEAR} | GGML_SCALE_FLAG_ANTIALIAS);
        },
        [](const Maker& m) {
            return ggml_interpolate(
                m, m.f32(8, 6, 2), 5, 9, 2, 1,
                uint32_t{GGML_SCALE_MODE_BICUBIC} | GGML_SCALE_FLAG_ALIGN_CORNERS);
        },
        [](const Maker& m) { return ggml_view_2d(m, m.f32(8, 6), 3, 2, 32, 8); },
        [](const Maker& m) { return ggml_reshape_2d(m, m.f32(8, 6), 12, 4); },
        [](const Maker& m) { return ggml_permute(m, m.f32(8, 6, 2), 2, 0, 1, 3); },
        [](const Maker& m) { return ggml_transpose(m, m.f32(8, 6)); },
    };
}

inline std::vector<Sample> element_samples() {
    std::vector<Sample> samples = {
        [](const Maker& m) { return ggml_add(m, m.f32(8, 6, 2), m.f32(8)); },
        [](const Maker& m) { return ggml_add(m, m.q8(32, 6), m.f32(32, 6)); },
        [](const Maker& m) { return ggml_add_cast(m, m.f16(8, 6), m.f32(8, 6), GGML_TYPE_F32); },
        [](const Maker& m) { return ggml_sub(m, m.f16(8, 6), m.f16(8, 2)); },
        [](const Maker& m) { return ggml_mul(m, m.f32(8, 6), m.f32(2, 3)); },
        [](const Maker& m) { return ggml_div_inplace(m, m.f32(8, 6), m.f32(8, 6)); },
        add1_sample,
        [](const Maker& m) { return ggml_add_id(m, m.f32(8, 2, 3), m.f32(8, 5), m.i32(2, 3)); },
        [](const Maker& m) { return ggml_count_equal(m, m.i32(8, 6), m.i32(8, 6)); },
        [](const Maker& m) { return ggml_silu(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_abs_inplace(m, m.f16(8, 6)); },
        [](const Maker& m) { return ggml_xielu(m, m.f32(8, 6), 1, 2, 3, 4); },
        [](const Maker& m) { return ggml_sqr(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_sqrt(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_log(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_sin(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_cos(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_swiglu(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_geglu_split(m, m.f16(8, 6), m.f16(8, 6)); },
        [](const Maker& m) { return ggml_swiglu_oai(m, m.f32(8, 6), m.f32(8, 6), 1, 2); },
        [](const Maker& m) { return ggml_scale_bias(m, m.f32(8, 6), 2, 1); },
        [](const Maker& m) { return ggml_scale(m, m.make(GGML_TYPE_BF16, 8, 6), 2); },
        [](const Maker& m) { return ggml_clamp(m, m.f32(8, 6, 2), 0, 1); },
        [](const Maker& m) { return ggml_leaky_relu(m, m.f32(8, 6), 0.1F, false); },
        [](const Maker& m) { return ggml_silu_back(m, m.f32(8, 6), m.f32(8, 6)); },
        [](const Maker& m) { return ggml_fill(m, m.f32(8, 6), 3); },
        [](const Maker& m) { return ggml_arange(m, 1, 9, 0.7F); },
        [](const Maker& m) { return ggml_timestep_embedding(m, m.f32(5), 7, 1000); },
        [](const Maker& m) { return ggml_norm(m, m.f32(8, 6), 1e-5F); },
        [](const Maker& m) { return ggml_rms_norm(m, m.f32(8, 6), 1e-5F); },
        [](const Maker& m) { return ggml_rms_norm_back(m, m.f32(8, 6), m.f32(8, 6), 1e-5F); },
        [](const Maker& m) { return ggml_l2_norm(m, m.f32(8, 6), 1e-5F); },
        [](const Maker& m) { return ggml_group_norm(m, m.f32(8, 6, 4), 2, 1e-5F); },
        [](const Maker& m) { return ggml_sum(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_sum_rows(m, m.f32(8, 6, 2)); },
        [](const Maker& m) { return ggml_mean(m, m.f32(8, 6, 2)); },
        [](const Maker& m) { return ggml_cumsum(m, m.f32(8, 6, 2)); },
        [](const Maker& m) { return ggml_argmax(m, m.f32(8, 6)); },
        [](const Maker& m) { return ggml_argsort(m, m.f32(8, 6, 2), GGML_SORT_ORDER_DESC); },
        [](const Maker& m) { return ggml_top_k(m, m.f32(8, 6, 2), 3); },
        [](const Maker& m) { return ggml_soft_max(m, m.f32(8, 6, 2)); },
        [](const Maker& m) { return ggml_soft_max_ext(m, m.f32(8, 6, 2), m.f16(8, 6), 1, 8); },
        [](const Maker& m) {
            ggml_tensor* const made = ggml_soft_max_ext(m, m.f32(8, 6, 4), m.f32(8, 7, 2), 1, 0);
            ggml_soft_max_add_sinks(made, m.f32(4));
            return made;
        },
        [](const Maker& m) { return ggml_soft_max_ext_back(m, m.f32(8, 6), m.f32(8, 6), 1, 0); },
        [](const Maker& m) { return ggml_diag(m, m.f32(8, 1, 3)); },
        [](const Maker& m) { return ggml_diag_mask_inf(m, m.f32(8, 6, 2), 2); },
        [](const Maker& m) { return ggml_diag_mask_zero(m, m.f32(8, 6, 2), 2); },
        [](const Maker& m) { return ggml_tri(m, m.f32(6, 6, 2), GGML_TRI_TYPE_LOWER); },
        [](const Maker& m) { return ggml_cross_entropy_loss(m, m.f32(8, 6), m.f32(8, 6)); },
        [](const Maker& m) {
            return ggml_cross_entropy_loss_back(m, m.f32(1), m.f32(8, 6), m.f32(8, 6));
        },
        [](const Maker& m) {
            return ggml_opt_step_adamw(m, m.parameter(8, 6), m.f32(8, 6), m.f32(8, 6), m.f32(8, 6),
                                       m.f32(7));
        },
        [](const Maker& m) {
            return ggml_opt_step_sgd(m, m.parameter(8, 6), m.f32(8, 6), m.f32(2));
        },
    };
    for (int op = 0; op < GGML_UNARY_OP_COUNT; ++op)
        if (op != GGML_UNARY_OP_XIELU)
            samples.push_back([op](const Maker& m) {
                return ggml_unary(m, m.f32(33, 3), static_cast<ggml_unary_op>(op));
            });
    for (int op = 0; op < GGML_GLU_OP_COUNT; ++op)
        samples.push_back([op](const Maker& m) {
            return ggml_glu_split(m, m.f32(33, 3), m.f32(33, 3), static_cast<ggml_glu_op>(op));
        });
    return samples;
}

inline std::vector<Sample> product_samples() {
    return {
        [](const Maker& m) { return ggml_mul_mat(m, m.f32(8, 6, 2), m.f32(8, 5, 4, 3)); },
        [](const Maker& m) { return ggml_mul_mat(m, m.q8(64, 6), m.f32(64, 5)); },
        [](const Maker& m) {
            return ggml_mul_mat(m, m.make(GGML_TYPE_IQ2_XXS, 256, 6), m.f32(256, 5));
        },
        [](const Maker& m) { return ggml_mul_mat(m, m.f16(8, 6), m.f16(8, 5)); },
        [](const Maker& m) {
            return ggml_mul_mat_id(m, m.q8(64, 6, 4), m.f32(64, 1, 5), m.i32(2, 5));
        },
        [](const Maker& m) { return ggml_out_prod(m, m.f32(8, 6, 2), m.f32(5, 6, 4)); },
        [](const Maker& m) {
            return ggml_solve_tri(m, m.f32(6, 6, 2), m.f32(5, 6, 2), true, true, false);
        },
        [](const Maker& m) {
            return ggml_flash_attn_ext(m, m.f32(32, 3, 8), m.f16(32, 33, 2), m.f16(64, 33, 2),
                                       m.f16(33, 3), 1, 0, 0);
        },
        [](const Maker& m) {
            ggml_tensor* const made =
                ggml_flash_attn_ext(m, m.f32(32, 3, 8, 2), m.q8(32, 33, 4, 2), m.q8(32, 33, 4, 2),
                                    m.f16(33, 64, 8, 2), 1, 8, 4);
            ggml_flash_attn_ext_add_sinks(made, m.f32(8));
            ggml_prec_set_acc(made, GGML_PREC_F32);
            return made;
        },
        [](const Maker& m) {
            return ggml_lightning_indexer(m, m.f32(32, 4, 5, 2), m.f16(32, 1, 7, 2),
                                          m.f32(4, 5, 1, 2), m.f16(7, 5));
        },
        [](const Maker& m) { return rope_sample(m, GGML_ROPE_TYPE_NORMAL, false); },
        [](const Maker& m) { return rope_sample(m, GGML_ROPE_TYPE_NEOX, true); },
        [](const Maker& m) { return rope_sample(m, GGML_ROPE_TYPE_MROPE, true); },
        [](const Maker& m) {
            return ggml_rope_ext(m, m.f32(64, 2, 3), m.i32(3), m.f32(8), 16, 0, 0, 1e4F, 1, 0, 1,
                                 32, 1);
        },
        [](const Maker& m) { return rope_sample(m, GGML_ROPE_TYPE_IMROPE, false); },
        [](const Maker& m) { return rope_sample(m, GGML_ROPE_TYPE_VISION, false); },
        [](const Maker& m) {
            return ggml_rope_set_offset(ggml_rope(m, m.f16(32, 2, 3), m.i32(3), 16, 0), 8);
        },
        [](const Maker& m) {
            return ggml_rope_ext_back(m, m.f32(32, 2, 3), m.i32(3), nullptr, 32, 0, 0, 1e4F, 1, 0,
                                      1, 32, 1);
        },
        [](const Maker& m) { return ggml_ssm_conv(m, m.f32(10, 6, 2), m.f32(4, 6)); },
        [](const Maker& m) {
            return ggml_ssm_scan(m, m.f32(16, 8, 4, 5), m.f32(8, 4, 7, 2), m.f32(4, 7, 2),
                                 m.f32(1, 4), m.f32(16, 2, 7, 2), m.f32(16, 2, 7, 2), m.i32(2), 3);
        },
        [](const Maker& m) {
            return ggml_ssm_scan(m, m.f32(16, 1, 4, 5), m.f32(1, 4, 7, 2), m.f32(4, 7, 2),
                                 m.f32(16, 4), m.f32(16, 1, 7, 2), m.f32(16, 1, 7, 2), m.i32(2), 1);
        },
        [](const Maker& m) {
            return ggml_rwkv_wkv6(m, m.f32(64, 2, 6), m.f32(64, 2, 6), m.f32(64, 2, 6),
                                  m.f32(64, 2), m.f32(64, 2, 6), m.f32(64 * 64 * 2, 3));
        },
        [](const Maker& m) {
            return ggml_gated_linear_attn(m, m.f32(64, 2, 6), m.f32(64, 2, 6), m.f32(64, 2, 6),
                                          m.f32(64, 2, 6), m.f32(64 * 64 * 2, 3), 1);
        },
        [](const Maker& m) {
            return ggml_rwkv_wkv7(m, m.f32(64, 2, 6), m.f32(64, 2, 6), m.f32(64, 2, 6),
                                  m.f32(64, 2, 6), m.f32(64, 2, 6), m.f32(64, 2, 6),
                                  m.f32(64 * 64 * 2, 3));
        },
        [](const Maker& m) {
            return ggml_gated_delta_net(m, m.f32(16, 2, 5, 2), m.f32(16, 2, 5, 2),
                                        m.f32(16, 4, 5, 2), m.f32(1, 4, 5, 2), m.f32(1, 4, 5, 2),
                                        m.f32(16, 16, 4, 2), 3);
        },
        [](const Maker& m) {
            return ggml_dsv4_hc_comb(m, m.f32(24, 5), m.f32(3), m.f32(24), 1e-3F, 3);
        },
        [](const Maker& m) { return ggml_dsv4_hc_pre(m, m.f32(10, 4, 5), m.f32(4, 5)); },
        [](const Maker& m) {
            return ggml_dsv4_hc_pre_gated(m, m.f32(10, 4, 5), m.f32(10, 4, 5), 1);
        },
        [](const Maker& m) {
            return ggml_dsv4_hc_post(m, m.f32(10, 5), m.f32(10, 4, 5), m.f32(4, 5), m.f32(4, 4, 5));
        },
    };
}

inline std::vector<Sample> window_samples() {
    return {
        [](const Maker& m) {
            return ggml_im2col(m, m.make(GGML_TYPE_BF16, 3, 4, 5), m.f32(8, 4), 1, 0, 0, 0, 1, 0,
                               false, GGML_TYPE_F32);
        },
        [](const Maker& m) {
            return ggml_im2col(m, m.f16(3, 3, 2, 4), m.f32(9, 8, 2, 3), 2, 1, 1, 0, 1, 2, true,
                               GGML_TYPE_F16);
        },
        [](const Maker& m) {
            return ggml_im2col(m, m.f32(3, 2, 4), m.f32(9, 2, 3), 2, 0, 1, 0, 1, 0, false,
                               GGML_TYPE_F32);
        },
        [](const Maker& m) {
            std::array<int64_t, 4> shape{9, 8, 2, 3};
            return ggml_im2col_back(m, m.f32(18, 5, 4, 3), m.f32(3, 3, 2, 4), shape.data(), 2, 1, 1,
                                    0, 1, 2, true);
        },
        [](const Maker& m) {
            return ggml_im2col_3d(m, m.f16(3, 3, 2, 4), m.f32(9, 8, 5, 4), 2, 2, 1, 1, 1, 0, 0, 1,
                                  1, 1, GGML_TYPE_F16);
        },
        [](const Maker& m) { return ggml_col2im_1d(m, m.f32(12, 5), 2, 3, 1); },
        [](const Maker& m) {
            return ggml_conv_2d_direct(m, m.f16(3, 3, 2, 4), m.f32(9, 8, 2, 3), 2, 1, 1, 0, 1, 2);
        },
        [](const Maker& m) {
            return ggml_conv_3d_direct(m, m.f16(3, 3, 2, 8), m.f32(9, 8, 5, 6), 2, 1, 1, 1, 0, 0, 1,
                                       1, 1, 2, 3, 4);
        },
        [](const Maker& m) {
            return ggml_conv_2d_dw_direct(m, m.f32(3, 3, 1, 4), m.f32(9, 8, 4, 2), 2, 1, 1, 0, 1,
                                          1);
        },
        [](const Maker& m) {
            ggml_tensor* const kernel = ggml_permute(m, m.f32(1, 4, 3, 3), 2, 3, 0, 1);
            ggml_tensor* const image = ggml_permute(m, m.f32(4, 9, 8, 2), 2, 0, 1, 3);
            return ggml_conv_2d_dw_direct(m, kernel, image, 2, 1, 1, 0, 1, 1);
        },
        [](const Maker& m) {
            return ggml_conv_transpose_1d(m, m.f16(3, 4, 2), m.f32(9, 2), 2, 0, 1);
        },
        [](const Maker& m) {
            return ggml_conv_transpose_2d_p0(m, m.f16(3, 3, 4, 2), m.f32(9, 8, 2), 2);
        },
        [](const Maker& m) { return ggml_pool_1d(m, m.f32(9, 4), GGML_OP_POOL_AVG, 3, 2, 1); },
        [](const Maker& m) {
            return ggml_pool_2d(m, m.f32(9, 8, 3), GGML_OP_POOL_MAX, 3, 2, 2, 1, 1, 0.5F);
        },
        [](const Maker& m) {
            return ggml_pool_2d_back(m, m.f32(5, 7, 3), m.f32(9, 8, 3), GGML_OP_POOL_MAX, 3, 2, 2,
                                     1, 1, 0);
        },
        [](const Maker& m) { return ggml_win_part(m, m.f32(5, 9, 8), 4); },
        [](const Maker& m) { return ggml_win_unpart(m, m.f32(5, 4, 4, 6), 9, 8, 4); },
        [](const Maker& m) { return ggml_get_rel_pos(m, m.f16(5, 7), 4, 4); },
        [](const Maker& m) {
            return ggml_add_rel_pos(m, m.f32(9, 20, 2), m.f32(3, 5, 4, 2), m.f32(3, 5, 4, 2));
        },
    };
}

inline std::vector<Sample> all_samples() {
    std::vector<Sample> all;
    for (const auto& samples :
         {copy_samples(), element_samples(), product_samples(), window_samples()})
        all.insert(all.end(), samples.begin(), samples.end());
    return all;
}

}  // namespace virtgpu::backend
