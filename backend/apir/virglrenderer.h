// The C interface between virglrenderer's APIR component and the library that it loads
// (docs/interop.md). All functions for one context are called from one thread at a time.
#pragma once

#include <cstdint>

#include "backend/export.h"

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the names are virglrenderer's.

// What virglrenderer offers. Valid during each call that it is given to.
struct apir_callbacks {
    // A configuration value, null where there is none.
    const char* (*get_config)(uint32_t virgl_ctx_id, const char* key);
    // Where a region is mapped, null where there is none. Nobody tells how large it is.
    void* (*get_shmem_ptr)(uint32_t virgl_ctx_id, uint32_t res_id);
};

// 0, or 6 + one of upstream's codes: 6 itself, which upstream returns when a backend does not
// register, would be taken for success.
VIRTGPU_EXPORT uint32_t apir_backend_initialize(uint32_t virgl_ctx_id,
                                                struct apir_callbacks* callbacks);
// Ends the context and frees all it holds.
VIRTGPU_EXPORT void apir_backend_deinit(uint32_t virgl_ctx_id);
// Carries out one FORWARD. `dec_cur` to `dec_end` are its arguments, `enc_cur` to `enc_end` the
// place for the reply, of which `enc_cur_after` becomes the end. Returns 0 or upstream's code, to
// which virglrenderer adds 4.
VIRTGPU_EXPORT uint32_t apir_backend_dispatcher(uint32_t virgl_ctx_id,
                                                struct apir_callbacks* callbacks, uint32_t cmd_type,
                                                char* dec_cur, const char* dec_end, char* enc_cur,
                                                const char* enc_end, char** enc_cur_after);

// NOLINTEND(readability-identifier-naming)
}
