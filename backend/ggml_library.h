// A ggml backend by the path of its library and the names of its functions, as upstream's
// configuration keys give them.
#pragma once

#include <ggml-backend.h>

#include <string>

#include "backend/export.h"
#include "wire/result.h"

namespace virtgpu::backend {

struct GgmlLibrary {
    std::string path{};  // ggml.library.path
    std::string reg{};   // ggml.library.reg; empty: ggml_backend_init
    std::string init{};  // ggml.library.init: called first, without arguments; empty: nothing
    bool named() const { return !path.empty() || !reg.empty() || !init.empty(); }
};

// Registers the backend with ggml. The library stays loaded, as ggml's own do. Fault::kRefused with
// upstream's message and what to do.
wire::Result<ggml_backend_reg_t> load_ggml_library(const GgmlLibrary& library);

// Its parts, for whoever has to say which of them failed.
struct GgmlFunctions {
    using Init = void (*)();
    using Registration = ggml_backend_reg_t (*)();
    Init init = nullptr;  // null: nothing to call
    Registration registration = nullptr;
};
wire::Result<void*> open_ggml_library(const GgmlLibrary& library);
wire::Result<GgmlFunctions> find_ggml_functions(void* handle, const GgmlLibrary& library);
// Calls them.
wire::Result<ggml_backend_reg_t> register_ggml_backend(const GgmlFunctions& functions,
                                                       const GgmlLibrary& library);

// Upstream's messages, and what to do: where the path is missing, and the name of the function in a
// library that does not have the usual one.
VIRTGPU_EXPORT tl::unexpected<wire::Error> missing_library_path();
VIRTGPU_EXPORT tl::unexpected<wire::Error> missing_registration(const std::string& path);

}  // namespace virtgpu::backend
