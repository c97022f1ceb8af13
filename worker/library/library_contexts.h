// Contexts that a library of somebody else's computes for.
#pragma once

#include <functional>
#include <string>

#include "backend/context_source.h"
#include "backend/ggml_library.h"
#include "wire/log.h"
#include "worker/library/apir_library.h"
#include "worker/library/library_callbacks.h"

namespace virtgpu::worker {

// One context, because upstream's library refuses a second one in its process. For one thread.
class LibraryContexts : public backend::ContextSource {
 public:
    // After the library has started, which loads its ggml backend, and before a guest's first
    // command reaches it.
    using Started = std::function<wire::Result<void>()>;

    // Loads the library at `path`, to which `ggml` is what it asks for by get_config.
    // Fault::kRefused with a message that says what to do. Keeps a reference to the log.
    static wire::Result<std::unique_ptr<LibraryContexts>> open(const std::string& path,
                                                               const backend::GgmlLibrary& ggml,
                                                               Started started, wire::Log& log);

    std::shared_ptr<backend::RegionPinning> pinning() const override;
    // Fault::kRefused the second time, and where the library does not start.
    wire::Result<std::unique_ptr<backend::ServedContext>> open_context(
        uint32_t number, std::shared_ptr<const backend::Regions> regions,
        backend::ContextFailed failed) override;

 private:
    LibraryContexts(const ApirLibrary& library, LibraryCallbacks::Configuration configuration,
                    Started started, wire::Log& log)
        : library_(library),
          configuration_(std::move(configuration)),
          started_(std::move(started)),
          log_(log) {}

    const ApirLibrary library_;
    const LibraryCallbacks::Configuration configuration_;
    const Started started_;
    wire::Log& log_;
    bool used_ = false;
};

}  // namespace virtgpu::worker
