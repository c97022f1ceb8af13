#include "backend/stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace virtgpu::backend {

namespace {

// ggml-rpc remembers the last uid per device, for all streams and without a lock.
bool is_remote(ggml_backend_t backend) {
    ggml_backend_reg_t const registry =
        ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
    return std::string_view(ggml_backend_reg_name(registry)) == "RPC";
}

// A function that not every backend has; null where this one has not.
template <typename Function>
Function function_of(ggml_backend_t backend, const char* name) {
    ggml_backend_reg_t const registry =
        ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(registry, name));
}

bool ask_whether_to_abort(void* asked) {
    return (*static_cast<const AbortAsked*>(asked))();
}

// While a graph is computed, whatever ends that.
class AbortCallback {
 public:
    AbortCallback(ggml_backend_set_abort_callback_t set, ggml_backend_t backend, AbortAsked& abort)
        : set_(set), backend_(backend) {
        if (set_ != nullptr)
            set_(backend_, ask_whether_to_abort, &abort);
    }
    ~AbortCallback() {
        if (set_ != nullptr)
            set_(backend_, nullptr, nullptr);
    }
    AbortCallback(const AbortCallback&) = delete;
    AbortCallback& operator=(const AbortCallback&) = delete;

 private:
    ggml_backend_set_abort_callback_t set_;
    ggml_backend_t backend_;
};

// What a guest can queue in the background: buffers and regions, and graphs, each of which may take
// the time that a graph may take when they are waited for together.
constexpr size_t kMostHeld = 4096;
constexpr uint32_t kMostGraphs = 64;

}  // namespace

Result<std::unique_ptr<Stream>> Stream::open(ggml_backend_dev_t device, int threads,
                                             Session& session) {
    ggml_backend_t const backend = ggml_backend_dev_init(device, nullptr);
    if (backend == nullptr)
        return wire::fail(Fault::kRefused, "{} does not start a stream",
                          ggml_backend_dev_name(device));
    std::unique_ptr<Stream> stream(new Stream(backend, threads, session));
    stream->set_threads(static_cast<uint32_t>(threads));
    return stream;
}

Stream::Stream(ggml_backend_t backend, int threads, Session& session)
    : backend_(backend),
      threads_(threads),
      session_(session),
      graphs_(session.limits().graphs, session.limits().graph_tensors),
      set_threads_(
          function_of<ggml_backend_set_n_threads_t>(backend, "ggml_backend_set_n_threads")),
      set_abort_(function_of<ggml_backend_set_abort_callback_t>(backend,
                                                                "ggml_backend_set_abort_callback")),
      asynchronous_(work_in_background(ggml_backend_get_device(backend))),
      knows_uids_(!is_remote(backend)) {}

bool Stream::work_in_background(ggml_backend_dev_t device) {
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(device, &properties);
    return properties.caps.async;
}

Stream::~Stream() {
    // ggml's CPU backend gives back the memory that it works in before it takes more. Where there
    // is no more it would do so again when it is freed, which costs the process; this, some memory
    // of a context that ends.
    if (broken_)
        return;
    ggml_backend_synchronize(backend_);
    ggml_backend_free(backend_);
}

void Stream::set_threads(uint32_t threads) {
    if (set_threads_ != nullptr && threads > 0)
        set_threads_(backend_,
                     static_cast<int>(std::min(threads, static_cast<uint32_t>(threads_))));
}

Result<void> Stream::keep(CachedGraph& graph, const Result<ggml_cgraph*>& built) {
    if (!built) {
        graph.set_refusal(built.error().message());
        return tl::unexpected(built.error());
    }
    name_anew(**built);
    return {};
}

// A backend that sees it again need not compare the graphs: CUDA launches at once.
void Stream::name_anew(ggml_cgraph& graph) {
    if (knows_uids_)
        internals_.set_uid(graph, session_.next_graph_uid());
}

void Stream::bring_up_to_date(CachedGraph& graph, Held& held) {
    // What runs in the background uses the copies, or writes what is to be copied.
    if (graph.weights().outdated())
        finish();
    if (graph.weights().bring_up_to_date(held))
        name_anew(*graph.built());
}

Result<void> Stream::define(uint32_t number, protocol::Graph graph) {
    ++session_.counters().defined;
    CachedGraph& added = *TRY(graphs_.add(number, std::move(graph), session_.memory()));
    return keep(added, added.build(session_, device()));
}

Result<void> Stream::edit(uint32_t number, const protocol::GraphEdit& edit) {
    ++session_.counters().edited;
    CachedGraph& graph = *TRY(graphs_.find(number));
    return keep(graph, graph.edit(edit, session_, device()));
}

Result<void> Stream::drop(uint32_t number) {
    return graphs_.remove(number);
}

Result<void> Stream::run(uint32_t number, const AbortAsked& abort) {
    if (broken_)
        return wire::fail(Fault::kLost, "{} failed before", ggml_backend_name(backend_));
    CachedGraph& graph = *TRY(graphs_.find(number));
    if (graph.built() == nullptr)
        return wire::fail(Fault::kRefused, "graph {} cannot be computed: {}", number,
                          graph.refusal());
    // ggml-rpc asserts that there is something to do.
    if (ggml_graph_n_nodes(graph.built()) == 0)
        return {};
    // Until the backend is done, or until finish() where it goes on in the background.
    Held held = TRY(graph.hold_buffers());
    bring_up_to_date(graph, held);
    start(held);
    // From here on it is this graph's time; before it is that of graphs that are waited for.
    const Watchdog::Timed timed(session_.watchdog(), session_.context());
    AbortAsked ends = [&] { return abort() || timed.expired(); };
    // What a device does in the background may still write the indices.
    if (!asynchronous_)
        TRY(graph.check_indices(ends));
    const ggml_status status = compute(graph.built(), ends);
    unfinished_graphs_ += asynchronous_ ? 1 : 0;
    if (status == GGML_STATUS_ABORTED && timed.expired())
        return wire::fail(Fault::kRefused, "a graph took longer than the {} s that it may take",
                          session_.limits().graph_time.count() / 1000);
    // The guest said so, or its context ends.
    if (status == GGML_STATUS_ABORTED)
        return {};
    if (status != GGML_STATUS_SUCCESS)
        return wire::fail(Fault::kRefused, "{} did not compute a graph: {}",
                          ggml_backend_name(backend_), ggml_status_to_string(status));
    ++session_.counters().graphs;
    session_.counters().nodes += graph.nodes();
    return {};
}

ggml_status Stream::compute(ggml_cgraph* graph, AbortAsked& abort) {
    const AbortCallback callback(set_abort_, backend_, abort);
    broken_ = true;
    const ggml_status status = ggml_backend_graph_compute_async(backend_, graph);
    broken_ = false;
    return status;
}

void Stream::set_tensor(ggml_tensor* tensor, uint64_t offset, const wire::BulkData& from,
                        const Held& held) {
    start(held);
    ggml_backend_tensor_set_async(backend_, tensor, from.data(), offset, from.size());
}

void Stream::get_tensor(const ggml_tensor* tensor, uint64_t offset, const wire::BulkData& to,
                        const Held& held) {
    start(held);
    ggml_backend_tensor_get_async(backend_, tensor, to.data(), offset, to.size());
}

// Before the device is given anything: keeping it may throw.
void Stream::start(const Held& held) {
    if (!asynchronous_)
        return;
    if (held_.size() + held.size() > kMostHeld || unfinished_graphs_ >= kMostGraphs)
        finish();
    held_.insert(held_.end(), held.begin(), held.end());
    unfinished_ = true;
}

void Stream::finish() {
    if (!unfinished_)
        return;
    ++session_.counters().stalls;
    // Also where only transfers are waited for.
    const Watchdog::Timed timed(session_.watchdog(), session_.context(),
                                std::max(1U, std::exchange(unfinished_graphs_, 0)));
    ggml_backend_synchronize(backend_);
    unfinished_ = false;
    held_.clear();
}

}  // namespace virtgpu::backend
