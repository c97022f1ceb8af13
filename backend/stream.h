// A stream: one in-order command time line of a device.
#pragma once

#include <ggml-backend.h>

#include <memory>

#include "backend/graph_builder.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Owns a ggml backend. For one thread, that of its ring.
class Stream {
 public:
    // `threads` is used by backends that compute on the CPU. Fault::kRefused when the device does
    // not start.
    static Result<std::unique_ptr<Stream>> open(ggml_backend_dev_t device, int threads,
                                                wire::Log& log);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    ggml_backend_dev_t device() const { return ggml_backend_get_device(backend_); }

    // Computes and waits. Fault::kRefused when a buffer is out of the device's reach; an operation
    // that the device does not support is GraphStatus::kFailed and a line in the log.
    Result<protocol::GraphStatus> compute(const validate::ValidGraph& graph,
                                          const HeldBuffers& buffers);

 private:
    Stream(ggml_backend_t backend, wire::Log& log) : backend_(backend), log_(log) {}

    bool supports_all(ggml_cgraph* graph);

    ggml_backend_t backend_;
    GraphBuilder builder_;
    wire::Log& log_;
};

}  // namespace virtgpu::backend
