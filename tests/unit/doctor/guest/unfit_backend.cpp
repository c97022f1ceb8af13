// A file that ggml takes for a backend, and that hangs (HANGS) or dies (DIES) while it is loaded,
// or is of another plug-in interface (IS_REFUSED).
#include <ggml-backend.h>
#include <unistd.h>

#include <cstdlib>

#ifdef IS_REFUSED

#include "ggml_private/ggml_plugin_abi.h"

extern "C" [[gnu::visibility("default")]] ggml_backend_reg_t ggml_backend_init() {
    static ggml_backend_reg registry{.api_version = 9999, .iface = {}, .context = nullptr};
    return &registry;
}

#else

namespace {

__attribute__((constructor)) void be_loaded() {
#ifdef DIES
    std::abort();
#else
    while (true)
        ::pause();
#endif
}

}  // namespace

#endif
