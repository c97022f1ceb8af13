// What the code of a library's start says to people.
#pragma once

#include <cstdint>
#include <string>

#include "backend/ggml_library.h"

namespace virtgpu::worker {

// As virglrenderer takes it.
bool is_started(uint32_t code);

// What went wrong and what to do, in upstream's words where upstream's documents give them.
// `ggml`: what the library found in its configuration. docs/interop.md lists the codes.
std::string why_not_started(uint32_t code, const backend::GgmlLibrary& ggml);

}  // namespace virtgpu::worker
