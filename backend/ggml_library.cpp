#include "backend/ggml_library.h"

#include <dlfcn.h>

#include "ggml_private/ggml_plugin_abi.h"
#include "ggml_private/plugin_abi_version.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

namespace {

constexpr const char* kDefaultRegistration = "ggml_backend_init";

// What the loader had against it.
std::string reason() {
    const char* const text = ::dlerror();
    return text == nullptr ? "unknown reason" : text;
}

Result<GgmlFunctions::Init> find_init(void* library, const GgmlLibrary& names) {
    if (names.init.empty())
        return nullptr;
    void* const function = ::dlsym(library, names.init.c_str());
    if (function == nullptr)
        return wire::fail(Fault::kRefused,
                          "cannot initialize the GGML library: {} has no function '{}'; "
                          "APIR_LLAMA_CPP_GGML_LIBRARY_INIT or the key ggml.library.init names it",
                          names.path, names.init);
    return reinterpret_cast<GgmlFunctions::Init>(function);
}

Result<GgmlFunctions::Registration> find_registration(void* library, const GgmlLibrary& names) {
    const std::string name = names.reg.empty() ? kDefaultRegistration : names.reg;
    void* const function = ::dlsym(library, name.c_str());
    if (function == nullptr && names.reg.empty())
        return missing_registration(names.path);
    if (function == nullptr)
        return wire::fail(Fault::kRefused,
                          "cannot register the GGML library: {} has no function '{}'; "
                          "APIR_LLAMA_CPP_GGML_LIBRARY_REG or the key ggml.library.reg names it",
                          names.path, name);
    return reinterpret_cast<GgmlFunctions::Registration>(function);
}

// ggml checks this only of what it loads itself.
Result<void> check_interface(ggml_backend_reg_t backend, const std::string& path) {
    const auto wanted = ggml_private::plugin_abi_of(ggml_version());
    if (backend != nullptr && wanted && backend->api_version == static_cast<int>(*wanted))
        return {};
    return wire::fail(Fault::kRefused,
                      "cannot register the GGML library: {} is no backend for ggml {}; install "
                      "that of the same version",
                      path, ggml_version());
}

}  // namespace

tl::unexpected<wire::Error> missing_library_path() {
    return wire::fail(
        Fault::kRefused,
        "cannot open the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined; "
        "set it, or the key ggml.library.path, to the path of a ggml backend's library, such "
        "as /usr/lib/.../libggml-cuda.so");
}

tl::unexpected<wire::Error> missing_registration(const std::string& path) {
    return wire::fail(
        Fault::kRefused,
        "cannot register the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_REG' not "
        "defined; {} has no {}, so set it, or the key ggml.library.reg, to its registration "
        "function, such as ggml_backend_cuda_reg",
        path, kDefaultRegistration);
}

Result<void*> open_ggml_library(const GgmlLibrary& library) {
    if (library.path.empty())
        return missing_library_path();
    void* const handle = ::dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
        return wire::fail(Fault::kRefused,
                          "cannot open the GGML library: {}; APIR_LLAMA_CPP_GGML_LIBRARY_PATH or "
                          "the key ggml.library.path names it",
                          reason());
    return handle;
}

Result<GgmlFunctions> find_ggml_functions(void* handle, const GgmlLibrary& library) {
    return GgmlFunctions{TRY(find_init(handle, library)), TRY(find_registration(handle, library))};
}

Result<ggml_backend_reg_t> register_ggml_backend(const GgmlFunctions& functions,
                                                 const GgmlLibrary& library) {
    if (functions.init != nullptr)
        functions.init();
    ggml_backend_reg_t const backend = functions.registration();
    TRY(check_interface(backend, library.path));
    ggml_backend_register(backend);
    return backend;
}

Result<ggml_backend_reg_t> load_ggml_library(const GgmlLibrary& library) {
    void* const handle = TRY(open_ggml_library(library));
    return register_ggml_backend(TRY(find_ggml_functions(handle, library)), library);
}

}  // namespace virtgpu::backend
