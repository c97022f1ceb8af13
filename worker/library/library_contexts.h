// Contexts that a library of somebody else's computes for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/context_source.h"
#include "backend/ggml_library.h"
#include "backend/watchdog.h"
#include "wire/log.h"
#include "worker/library/apir_library.h"

namespace virtgpu::worker {

class LibraryContext;

struct LibraryOptions {
    std::string path;
    backend::GgmlLibrary ggml;  // what it asks for by get_config
    // Called after the library has started, which loads its ggml backend, and before a guest's
    // first command reaches it.
    std::function<wire::Result<void>()> started = [] { return wire::Result<void>(); };
    std::chrono::milliseconds start_time{0};    // 0: no limit
    std::chrono::milliseconds call_time{0};     // of each command; 0: no limit
    std::chrono::milliseconds end_time{10000};  // for what it still does when its guest has gone
    // How exactly these are kept: a library knows no way to be told to stop.
    std::chrono::milliseconds grace{1000};
    // One of these is over. Nothing can break off what it does: the process should end. From a
    // thread of its own.
    std::function<void(const std::string& why)> hung = [](const std::string&) {};
};

// One context, because upstream's library refuses a second one in its process. For one thread.
class LibraryContexts : public backend::ContextSource {
 public:
    // Loads the library. Fault::kRefused with a message that says what to do. Keeps a reference to
    // the log.
    static wire::Result<std::unique_ptr<LibraryContexts>> open(LibraryOptions options,
                                                               wire::Log& log);

    std::shared_ptr<backend::RegionPinning> pinning() const override;
    // Fault::kRefused the second time, and where the library does not start.
    wire::Result<std::unique_ptr<backend::ServedContext>> open_context(
        uint32_t number, std::shared_ptr<const backend::Regions> regions,
        backend::ContextFailed failed) override;
    // Opens the context for no guest and closes it again.
    wire::Result<void> try_out();

 private:
    LibraryContexts(const ApirLibrary& library, LibraryOptions options, wire::Log& log);

    wire::Result<void> start(LibraryContext& context, uint32_t number);

    const ApirLibrary library_;
    const LibraryOptions options_;
    wire::Log& log_;
    backend::Watchdog calls_;
    backend::Watchdog ends_;
    bool used_ = false;
};

}  // namespace virtgpu::worker
