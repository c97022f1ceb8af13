// Numbers of operations and types in upstream's commands.
#pragma once

#include "backend/validate/vocabulary.h"

namespace virtgpu::backend {

// Upstream's frontend sends its ggml's numbers and does not say which ggml that is, so they are
// taken for the host's: right for the same ggml. ggml 0.21 has as many of both as 0.27.
validate::Result<validate::Vocabulary> forward_vocabulary(
    const std::shared_ptr<const validate::HostVocabulary>& host);

}  // namespace virtgpu::backend
