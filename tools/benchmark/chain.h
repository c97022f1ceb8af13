#pragma once

#include <ggml-alloc.h>
#include <ggml-backend.h>

#include <memory>
#include <type_traits>
#include <vector>

namespace virtgpu::benchmark {

constexpr int kLargestGraph = 10000;
constexpr int kUsualGraph = 1300;  // nodes, of a model with some forty layers

struct Deleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    void operator()(ggml_backend_sched_t scheduler) const { ggml_backend_sched_free(scheduler); }
};
template <typename T>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Deleter>;

// A chain of small operations on one device, in a buffer of its own. ggml's CPU backend computes
// such operations with one thread, so its number of threads makes no difference.
class Chain {
 public:
    Chain(ggml_backend_dev_t device, size_t nodes)
        : backend_(ggml_backend_dev_init(device, nullptr)),
          context_(ggml_init({.mem_size = (2 * nodes + 16) * ggml_tensor_overhead() +
                                          2 * ggml_graph_overhead_custom(nodes + 8, false),
                              .mem_buffer = nullptr,
                              .no_alloc = true})),
          graph_(ggml_new_graph_custom(context_.get(), nodes + 8, false)) {
        ggml_tensor* last = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 16);
        for (size_t i = 0; i < nodes; ++i)
            last = ggml_scale(context_.get(), last, 1.0F);
        buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend_.get()));
        ggml_build_forward_expand(graph_, last);
        result_ = last;
    }

    ggml_backend_t backend() const { return backend_.get(); }
    ggml_cgraph* graph() const { return graph_; }

    // Behind what was asked of the backend before, with one wait for both, as llama.cpp takes its
    // logits.
    float result_when_done() const {
        float value = 0;
        ggml_backend_tensor_get_async(backend(), result_, &value, 0, sizeof value);
        ggml_backend_synchronize(backend());
        return value;
    }

    float result() const {
        float value = 0;
        ggml_backend_tensor_get(result_, &value, 0, sizeof value);
        return value;
    }

 private:
    Owned<ggml_backend_t> backend_;
    Owned<ggml_context*> context_;
    Owned<ggml_backend_buffer_t> buffer_;
    ggml_cgraph* graph_;
    ggml_tensor* result_ = nullptr;
};

// A graph that was computed before, as llama.cpp does it: through the scheduler, which tells
// backends that the graph is the same.
class Scheduled {
 public:
    Scheduled(ggml_backend_dev_t device, ggml_backend_dev_t cpu, size_t nodes)
        : chain_(device, nodes),
          other_(ggml_backend_dev_init(cpu, nullptr)),
          backends_{chain_.backend(), other_.get()},
          scheduler_(ggml_backend_sched_new(backends_.data(), nullptr, 2, size_t{4} * kLargestGraph,
                                            false, true)) {
        ggml_backend_sched_alloc_graph(scheduler_.get(), chain_.graph());
        compute();  // a graph is unchanged from the second time on
    }

    float compute() const {
        ggml_backend_sched_graph_compute_async(scheduler_.get(), chain_.graph());
        return chain_.result_when_done();
    }

 private:
    const Chain chain_;
    const Owned<ggml_backend_t> other_;
    std::vector<ggml_backend_t> backends_;
    const Owned<ggml_backend_sched_t> scheduler_;
};

}  // namespace virtgpu::benchmark
