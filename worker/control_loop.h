// Does what the device process says.
#pragma once

#include <map>
#include <memory>

#include "backend/context_source.h"
#include "worker/closing_contexts.h"
#include "worker/control_socket.h"
#include "worker/region_table.h"

namespace virtgpu::worker {

// For one thread; never waits for a ring. Keeps references to all three arguments.
class ControlLoop {
 public:
    ControlLoop(ControlSocket& socket, backend::ContextSource& source, wire::Log& log)
        : socket_(socket), source_(source), log_(log) {}

    // Until all work is done after DRAIN, or the device process is gone. Then threads may still be
    // computing: the caller ends the process.
    void run();

 private:
    struct OpenContext {
        std::shared_ptr<RegionTable> regions;
        std::unique_ptr<backend::ServedContext> context;
    };
    enum class Ending { kStop, kDrain };

    void handle(const protocol::WorkerOpenContextRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerCloseContextRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerAddRegionRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerAddGuestRegionRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerRemoveRegionRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerOpenRingRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerCloseRingRequest& request, ControlMessage& message);
    void handle(const protocol::WorkerForwardRequest& request, ControlMessage& message);
    void handle(const wire::WorkerDrainRequest& request, ControlMessage& message);
    void handle(const wire::WorkerLogCountersRequest& request, ControlMessage& message);
    // What only a worker sends.
    template <typename T>
    void handle(const T& request, ControlMessage& message);

    wire::Result<void> open_ring(const protocol::WorkerOpenRingRequest& request,
                                 ControlMessage& message);
    wire::Result<OpenContext*> find(uint32_t context);
    void end(uint32_t number, OpenContext context, Ending ending);
    void log_summary(std::string_view occasion, uint32_t context,
                     const backend::ContextSummary& summary) const;

    ControlSocket& socket_;
    backend::ContextSource& source_;
    wire::Log& log_;
    std::map<uint32_t, OpenContext> contexts_;
    ClosingContexts closing_;
    bool draining_ = false;
};

}  // namespace virtgpu::worker
