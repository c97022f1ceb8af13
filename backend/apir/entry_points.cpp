#include "backend/apir/library.h"
#include "backend/apir/library_codes.h"
#include "backend/apir/virglrenderer.h"

namespace {

using virtgpu::backend::Library;

constexpr uint32_t kFailed = number_of(virtgpu::backend::StartCode::kBackendInitFailed);

// The one object that the C interface leaves no other place for. Never destroyed: at the process'
// end ggml may be gone before it.
Library& library() {
    static auto* const library = new Library;
    return *library;
}

std::span<const std::byte> arguments(const char* begin, const char* end) {
    if (begin == nullptr || end < begin)
        return {};
    return std::as_bytes(std::span(begin, end));
}

}  // namespace

uint32_t apir_backend_initialize(uint32_t virgl_ctx_id, apir_callbacks* callbacks) try {
    if (callbacks == nullptr || callbacks->get_shmem_ptr == nullptr)
        return kFailed;
    return library().initialize(virgl_ctx_id, *callbacks);
} catch (...) {
    return kFailed;
}

void apir_backend_deinit(uint32_t virgl_ctx_id) try {
    library().deinit(virgl_ctx_id);
} catch (...) {
    return;
}

uint32_t apir_backend_dispatcher(uint32_t virgl_ctx_id, apir_callbacks* /*callbacks*/,
                                 uint32_t cmd_type, char* dec_cur, const char* dec_end,
                                 char* enc_cur, const char* enc_end, char** enc_cur_after) try {
    *enc_cur_after = enc_cur;
    const auto answer = library().dispatch(
        virgl_ctx_id, cmd_type, arguments(dec_cur, dec_end),
        std::as_writable_bytes(std::span(enc_cur, static_cast<size_t>(enc_end - enc_cur))));
    *enc_cur_after = enc_cur + answer.size;
    return answer.code;
} catch (...) {
    return kFailed;
}
