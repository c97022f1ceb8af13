// What apir_backend_initialize returns, in upstream's numbers.
#pragma once

#include <cstdint>

namespace virtgpu::backend {

enum class LibraryCode : uint32_t {
    kSuccess = 0,
    kCannotOpenBackendLibrary = 1,
    kCannotOpenGgmlLibrary = 2,
    kMissingBackendSymbols = 3,
    kMissingGgmlSymbols = 4,
    kBackendFailed = 5,
    kRegistrationFailed = 6,
    kAlreadyInitialized = 7,
    kNoDevice = 8,
    kStartFailed = 9,
};

// Upstream's library adds this to its codes once its own configuration is read, to success as well.
inline constexpr uint32_t kLaterCodes = 6;

constexpr uint32_t later(LibraryCode code) {
    return kLaterCodes + static_cast<uint32_t>(code);
}

}  // namespace virtgpu::backend
