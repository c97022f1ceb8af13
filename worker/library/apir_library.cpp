#include "worker/library/apir_library.h"

#include <dlfcn.h>

#include <filesystem>

namespace virtgpu::worker {

namespace {

template <typename Function>
Function find(void* library, const char* name) {
    return reinterpret_cast<Function>(::dlsym(library, name));
}

tl::unexpected<wire::Error> refusal(std::string_view reason) {
    return wire::fail(wire::Fault::kRefused,
                      "cannot open the APIR backend library: {}; VIRGL_APIR_BACKEND_LIBRARY or the "
                      "key apir.load_library.path names it, and without it this host computes by "
                      "itself",
                      reason);
}

}  // namespace

wire::Result<ApirLibrary> ApirLibrary::open(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))  // a pipe would never answer
        return refusal(wire::format("{} is no file that can be read", path));
    void* const library = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) {
        const char* const reason = ::dlerror();
        return refusal(reason == nullptr ? path : reason);
    }
    ApirLibrary opened;
    opened.initialize = find<decltype(opened.initialize)>(library, "apir_backend_initialize");
    opened.deinit = find<decltype(opened.deinit)>(library, "apir_backend_deinit");
    opened.dispatcher = find<decltype(opened.dispatcher)>(library, "apir_backend_dispatcher");
    if (opened.initialize == nullptr || opened.dispatcher == nullptr)
        return refusal(wire::format(
            "{} has no function '{}'", path,
            opened.initialize == nullptr ? "apir_backend_initialize" : "apir_backend_dispatcher"));
    return opened;
}

}  // namespace virtgpu::worker
