// A stream: one in-order command time line of a device.
#pragma once

#include <ggml-backend.h>

#include <memory>

#include "backend/graph_cache.h"
#include "ggml_private/graph_internals.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Owns a ggml backend and the graphs that the guest defined on it. For one thread at a time, that
// which serves its ring. What it starts may go on in the background until finish().
class Stream {
 public:
    // `threads` is used by backends that compute on the CPU. Fault::kRefused when the device does
    // not start. Keeps a reference to the session.
    static Result<std::unique_ptr<Stream>> open(ggml_backend_dev_t device, int threads,
                                                Session& session);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Fault::kRefused when the device cannot compute the graph.
    Result<void> define(uint32_t number, protocol::Graph graph);
    Result<void> edit(uint32_t number, const protocol::GraphEdit& edit);
    Result<void> drop(uint32_t number);
    // Fault::kRefused when the backend fails.
    Result<void> run(uint32_t number);

    // `buffers` are those of the tensor.
    // The bytes must stay until finish().
    void set_tensor(ggml_tensor* tensor, uint64_t offset, const wire::BulkData& from,
                    const HeldBuffers& buffers);
    void get_tensor(const ggml_tensor* tensor, uint64_t offset, const wire::BulkData& to,
                    const HeldBuffers& buffers);

    bool unfinished() const { return unfinished_; }
    void finish();
    // Keeps something until what was started is done.
    void hold(std::shared_ptr<const void> object) {
        if (unfinished_)
            held_.push_back(std::move(object));
    }

 private:
    Stream(ggml_backend_t backend, Session& session);

    Result<void> build(CachedGraph& graph);
    Result<void> check_supported(ggml_cgraph* graph) const;
    void started(std::vector<std::shared_ptr<Buffer>> buffers);

    ggml_backend_t backend_;
    Session& session_;
    GraphCache graphs_;
    ggml_private::GraphInternals internals_;
    bool asynchronous_;
    bool unfinished_ = false;
    // What the background uses.
    std::vector<std::shared_ptr<const void>> held_;
};

}  // namespace virtgpu::backend
