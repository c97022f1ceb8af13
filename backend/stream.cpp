#include "backend/stream.h"

#include "backend/printable.h"

namespace virtgpu::backend {

Result<std::unique_ptr<Stream>> Stream::open(ggml_backend_dev_t device, int threads,
                                             wire::Log& log) {
    ggml_backend_t const backend = ggml_backend_dev_init(device, nullptr);
    if (backend == nullptr)
        return wire::fail(Fault::kRefused, "{} does not start a stream",
                          ggml_backend_dev_name(device));
    void* const set_threads = ggml_backend_reg_get_proc_address(
        ggml_backend_dev_backend_reg(device), "ggml_backend_set_n_threads");
    if (set_threads != nullptr && threads > 0)
        reinterpret_cast<ggml_backend_set_n_threads_t>(set_threads)(backend, threads);
    return std::unique_ptr<Stream>(new Stream(backend, log));
}

Stream::~Stream() {
    ggml_backend_free(backend_);
}

bool Stream::supports_all(ggml_cgraph* graph) {
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
        const ggml_tensor* const node = ggml_graph_node(graph, i);
        // Backends abort the process on what they do not support.
        if (!ggml_backend_supports_op(backend_, node)) {
            log_.warning("{} does not support node {}, {} '{}'; the graph is not computed",
                         ggml_backend_name(backend_), i, ggml_op_desc(node), printable(node->name));
            return false;
        }
    }
    return true;
}

Result<protocol::GraphStatus> Stream::compute(const validate::ValidGraph& graph,
                                              const HeldBuffers& buffers) {
    TRY(buffers.check_reach(device()));
    ggml_cgraph* const built = TRY(builder_.build_graph(graph, buffers));
    if (!supports_all(built))
        return protocol::GraphStatus::kFailed;
    return static_cast<protocol::GraphStatus>(ggml_backend_graph_compute(backend_, built));
}

}  // namespace virtgpu::backend
