// A library that computes behind the C interface of virglrenderer's APIR component.
#pragma once

#include <string>

#include "backend/apir/virglrenderer.h"
#include "wire/result.h"

namespace virtgpu::worker {

// Its functions (backend/apir/virglrenderer.h). It stays loaded until the process ends.
struct ApirLibrary {
    decltype(&apir_backend_initialize) initialize = nullptr;
    decltype(&apir_backend_deinit) deinit = nullptr;  // may be missing
    decltype(&apir_backend_dispatcher) dispatcher = nullptr;

    // Fault::kRefused with a message that says what to do.
    static wire::Result<ApirLibrary> open(const std::string& path);
};

}  // namespace virtgpu::worker
