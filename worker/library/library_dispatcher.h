// Carries out level 1 commands by a library of somebody else's.
#pragma once

#include <atomic>
#include <vector>

#include "backend/apir/forward_service.h"
#include "wire/log.h"
#include "worker/library/apir_library.h"
#include "worker/library/library_callbacks.h"

namespace virtgpu::worker {

struct LibraryCounters {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> graphs{0};
};

// One call of the library's at a time, each with copies of its own: what it does with the
// arguments and the reply reaches nobody's memory. Keeps references to the callbacks, the counters
// and the log.
class LibraryDispatcher : public backend::ForwardService {
 public:
    LibraryDispatcher(uint32_t context, const ApirLibrary& library, LibraryCallbacks& callbacks,
                      LibraryCounters& counters, wire::Log& log);

    // The library's own codes are passed on.
    uint32_t serve(const backend::ForwardRequest& request, wire::Writer& reply) override;
    // A call that runs cannot be broken off.
    void stop() override {}

 private:
    const uint32_t context_;
    const ApirLibrary library_;
    LibraryCallbacks& callbacks_;
    LibraryCounters& counters_;
    wire::Log& log_;
    std::vector<char> payload_;
};

}  // namespace virtgpu::worker
