// What a worker's control loop drives: this library's Host, or a library of somebody else's.
#pragma once

#include <cstdint>
#include <memory>

#include "backend/apir/forward_executor.h"
#include "backend/export.h"
#include "backend/pinned_region.h"
#include "backend/regions.h"
#include "backend/ring_server.h"
#include "wire/ring_memory.h"

namespace virtgpu::backend {

// What a context did, for its last line in the log.
struct ContextSummary {
    uint64_t graphs = 0;
    uint64_t nodes = 0;
    uint64_t defined = 0;  // graphs that came whole
    uint64_t edited = 0;   // graphs of which the changes came
    uint64_t requests = 0;
    uint64_t request_bytes = 0;  // with their headers
    uint64_t graph_bytes = 0;    // encoded, beside the requests
    uint64_t doorbells = 0;
    uint64_t wakeups = 0;   // of a guest that slept
    uint64_t stalls = 0;    // of a ring, until a device was done
    uint64_t bytes_in = 0;  // of tensors' data
    uint64_t bytes_out = 0;
};

// A guest process' connection, as its worker serves it. The methods are for one thread.
class VIRTGPU_EXPORT ServedContext {
 public:
    virtual ~ServedContext() = default;

    // Fault::kRefused when the number is out of range or taken, too many rings still compute, or
    // whoever computes knows level 1 alone.
    virtual Result<void> open_ring(uint32_t ring, wire::RingMemory memory,
                                   std::unique_ptr<RingSignals> signals) = 0;
    // Returns at once; the executor ends after what its ring holds.
    virtual void close_ring(uint32_t ring) = 0;
    // Carries out one of upstream's level 1 commands and answers it. Returns at once.
    // Fault::kSystem when the system has no thread for it.
    virtual Result<void> forward(ForwardCall call) = 0;
    // The same for all rings and commands; then waits for them.
    virtual void drain() = 0;
    // Stops all rings and waits for what they compute.
    virtual void close() = 0;

    virtual ContextSummary summary() const = 0;
};

class VIRTGPU_EXPORT ContextSource {
 public:
    virtual ~ContextSource() = default;

    // For the regions that contexts will use.
    virtual std::shared_ptr<RegionPinning> pinning() const = 0;
    // `failed` is called from an executor's thread. The context must not outlive this object.
    virtual Result<std::unique_ptr<ServedContext>> open_context(
        uint32_t number, std::shared_ptr<const Regions> regions, ContextFailed failed) = 0;
};

}  // namespace virtgpu::backend
