// A stream: one in-order command time line of a device.
#pragma once

#include <ggml-backend.h>

#include <memory>

#include "backend/graph_cache.h"
#include "backend/graph_order.h"
#include "ggml_private/graph_internals.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Owns a ggml backend and the graphs that the guest defined on it. For one thread at a time, that
// which serves its ring. What it starts may go on in the background until finish().
class Stream {
 public:
    // Buffers and regions: what the guest frees lives as long as the background uses it.
    using Held = std::vector<std::shared_ptr<const void>>;

    // `threads` is used by backends that compute on the CPU. Fault::kRefused when the device does
    // not start. Keeps a reference to the session.
    static Result<std::unique_ptr<Stream>> open(ggml_backend_dev_t device, int threads,
                                                Session& session);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // A graph that runs in the background may be edited and dropped: once it is started, backends
    // do not look at it again, and ggml's scheduler relies on that when it plans the next one.
    // Fault::kRefused when the device cannot compute the graph; then run() says so again.
    Result<void> define(uint32_t number, protocol::Graph graph);
    Result<void> edit(uint32_t number, const protocol::GraphEdit& edit);
    Result<void> drop(uint32_t number);
    // Fault::kRefused when the backend fails. Backends that can stop do so when `abort` says so,
    // which is asked from this thread, often.
    Result<void> run(uint32_t number, const AbortAsked& abort);

    // For backends that compute on the CPU; no more than the stream was opened with.
    void set_threads(uint32_t threads);
    ggml_backend_dev_t device() const { return ggml_backend_get_device(backend_); }
    bool reorders_graphs() const { return backend::reorders_graphs(backend_); }
    Result<protocol::OptimizeGraphReply> better_order(const protocol::Graph& graph) const {
        return backend::better_order(backend_, session_, graph);
    }

    // `held` is what the transfer touches.
    void set_tensor(ggml_tensor* tensor, uint64_t offset, const wire::BulkData& from,
                    const Held& held);
    void get_tensor(const ggml_tensor* tensor, uint64_t offset, const wire::BulkData& to,
                    const Held& held);

    // Whether the device's streams go on in the background at all.
    static bool work_in_background(ggml_backend_dev_t device);
    bool unfinished() const { return unfinished_; }
    void finish();

 private:
    Stream(ggml_backend_t backend, int threads, Session& session);

    Result<void> keep(CachedGraph& graph, const Result<ggml_cgraph*>& built);
    void name_anew(ggml_cgraph& graph);
    void bring_up_to_date(CachedGraph& graph, Held& held);
    ggml_status compute(ggml_cgraph* graph, AbortAsked& abort);
    void start(const Held& held);

    ggml_backend_t backend_;
    const int threads_;
    Session& session_;
    GraphCache graphs_;
    ggml_private::GraphInternals internals_;
    ggml_backend_set_n_threads_t set_threads_;     // null where the backend
    ggml_backend_set_abort_callback_t set_abort_;  // has no such thing
    bool asynchronous_;
    bool knows_uids_;
    bool unfinished_ = false;
    bool broken_ = false;  // an exception came out of it
    uint32_t unfinished_graphs_ = 0;
    // What the background uses.
    Held held_;
};

}  // namespace virtgpu::backend
