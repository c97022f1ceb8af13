// Which files ggml's backends and their drivers need.
#pragma once

#include "backend/catalogue.h"
#include "sandbox/sandbox.h"

namespace virtgpu::worker {

// For a process that has loaded nothing yet. Makes the folder in which drivers keep the code that
// they made, and tells them of it, where they are likely to be loaded.
sandbox::LoadingRules loading_rules(const backend::CatalogueOptions& options,
                                    const std::string& trace_folder);

// And another library, with those that lie beside it.
void add_library_folder(const std::string& library, sandbox::LoadingRules& rules);

}  // namespace virtgpu::worker
