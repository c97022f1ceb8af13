// What apir_backend_initialize returns, in upstream's numbers.
#pragma once

#include <cstdint>

namespace virtgpu::backend {

// LOADLIBRARY's own, which the library returns as well for what it finds before it starts its ggml
// backend.
enum class LibraryCode : uint32_t {
    kSuccess = 0,
    kHypercallInitializationError = 1,
    kAlreadyLoaded = 2,
    kEnvVarMissing = 3,
    kCannotOpen = 4,
    kSymbolMissing = 5,
};

// Of the start of its ggml backend.
enum class StartCode : uint32_t {
    kSuccess = 0,
    kCannotOpenBackendLibrary = 1,
    kCannotOpenGgmlLibrary = 2,
    kMissingBackendSymbols = 3,
    kMissingGgmlSymbols = 4,
    kBackendFailed = 5,
    kBackendRegFailed = 6,
    kAlreadyInited = 7,
    kNoDevice = 8,
    kBackendInitFailed = 9,
};

// The library returns these with this added, success as well.
inline constexpr uint32_t kStartCodes = 6;

constexpr uint32_t number_of(LibraryCode code) {
    return static_cast<uint32_t>(code);
}

constexpr uint32_t number_of(StartCode code) {
    return kStartCodes + static_cast<uint32_t>(code);
}

}  // namespace virtgpu::backend
