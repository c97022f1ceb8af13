// Carries out level 1 commands by a library of somebody else's.
#pragma once

#include <atomic>
#include <vector>

#include "backend/apir/forward_service.h"
#include "backend/watchdog.h"
#include "wire/log.h"
#include "worker/library/apir_library.h"
#include "worker/library/library_callbacks.h"

namespace virtgpu::worker {

struct LibraryCounters {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> graphs{0};
};

// One call of the library's at a time, each with copies of its own: what it does with the
// arguments and the reply reaches nobody's memory. The watchdog counts the calls' time. Keeps
// references to the callbacks, the counters, the watchdog and the log.
class LibraryDispatcher : public backend::ForwardService {
 public:
    LibraryDispatcher(uint32_t context, const ApirLibrary& library, LibraryCallbacks& callbacks,
                      LibraryCounters& counters, backend::Watchdog& watchdog, wire::Log& log);

    // The library's own codes are passed on. A call that goes wrong here is answered in a way that
    // upstream's frontend survives.
    uint32_t serve(const backend::ForwardRequest& request, wire::Writer& reply) override;
    // A call that runs cannot be broken off.
    void stop() override {}

 private:
    wire::Result<uint32_t> call(const backend::ForwardRequest& request, wire::Writer& reply);
    wire::Result<uint32_t> call_and_copy(const backend::ForwardRequest& request,
                                         wire::Writer& reply);

    const uint32_t context_;
    const ApirLibrary library_;
    LibraryCallbacks& callbacks_;
    LibraryCounters& counters_;
    backend::Watchdog& watchdog_;
    wire::Log& log_;
    std::vector<char> arguments_;
    std::vector<char> payload_;
};

}  // namespace virtgpu::worker
