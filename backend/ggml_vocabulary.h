// What the ggml that this library is linked with has.
#pragma once

#include <memory>

#include "backend/validate/vocabulary.h"

namespace virtgpu::backend {

std::shared_ptr<const validate::HostVocabulary> read_ggml_vocabulary();

}  // namespace virtgpu::backend
