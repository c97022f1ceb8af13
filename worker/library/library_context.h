// The context that a library of somebody else's computes for.
#pragma once

#include <memory>

#include "backend/context_source.h"
#include "backend/ggml_library.h"
#include "backend/watchdog.h"
#include "wire/log.h"
#include "worker/library/apir_library.h"
#include "worker/library/library_callbacks.h"
#include "worker/library/library_dispatcher.h"

namespace virtgpu::worker {

struct LibraryTimes {
    backend::Watchdog& calls;  // of commands
    backend::Watchdog& ends;   // of contexts, with what still runs then
};

// Level 1 alone. Keeps references to the watchdogs and the log.
class LibraryContext : public backend::ServedContext {
 public:
    LibraryContext(uint32_t number, const ApirLibrary& library,
                   std::unique_ptr<LibraryCallbacks> callbacks, LibraryTimes times, wire::Log& log);
    ~LibraryContext() override;
    LibraryContext(const LibraryContext&) = delete;
    LibraryContext& operator=(const LibraryContext&) = delete;

    // In the caller's thread. `ggml`: what the library finds in its configuration. Fault::kRefused
    // with what its code says.
    wire::Result<void> start_library(const backend::GgmlLibrary& ggml);
    // That of the commands. Fault::kSystem when the system has none.
    wire::Result<void> start_thread(std::shared_ptr<const backend::Regions> regions);

    wire::Result<void> open_ring(uint32_t ring, wire::RingMemory memory,
                                 std::unique_ptr<backend::RingSignals> signals) override;
    void close_ring(uint32_t /*ring*/) override {}
    wire::Result<void> forward(backend::ForwardCall call) override;
    void drain() override;
    // Waits for its call, and ends the library if it was started, whatever came of that: its start
    // may have left something behind.
    void close() override;
    backend::ContextSummary summary() const override;

 private:
    const uint32_t number_;
    const ApirLibrary library_;
    const std::unique_ptr<LibraryCallbacks> callbacks_;
    const LibraryTimes times_;
    wire::Log& log_;
    LibraryCounters counters_;
    bool library_started_ = false;
    std::unique_ptr<backend::ForwardExecutor> executor_;
};

}  // namespace virtgpu::worker
