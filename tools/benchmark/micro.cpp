// What single things cost on a ggml device, native or remote: the rows of docs/performance.md that
// are not tokens per second. Calls ggml's public functions alone, as an application does.
//
// usage: micro DEVICE BACKEND_FOLDER [options of Google Benchmark]
#include <benchmark/benchmark.h>
#include <ggml-alloc.h>
#include <ggml-backend.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace {

constexpr int kLargestGraph = 10000;

struct Deleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    void operator()(ggml_backend_sched_t scheduler) const { ggml_backend_sched_free(scheduler); }
};
template <typename T>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Deleter>;

// A chain of small operations on one device, in a buffer of its own.
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
    ggml_tensor* result() const { return result_; }

 private:
    Owned<ggml_backend_t> backend_;
    Owned<ggml_context*> context_;
    Owned<ggml_backend_buffer_t> buffer_;
    ggml_cgraph* graph_;
    ggml_tensor* result_ = nullptr;
};

void fetch(const ggml_tensor* tensor) {
    float value = 0;
    ggml_backend_tensor_get(tensor, &value, 0, sizeof value);
    benchmark::DoNotOptimize(value);
}

void round_trip_awake(benchmark::State& state, ggml_backend_dev_t device) {
    const Chain chain(device, 1);
    for (auto step : state)
        fetch(chain.result());
}

void round_trip_asleep(benchmark::State& state, ggml_backend_dev_t device) {
    using Clock = std::chrono::steady_clock;
    const Chain chain(device, 1);
    for (auto step : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const auto start = Clock::now();
        fetch(chain.result());
        state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
    }
}

// As llama.cpp computes: through the scheduler, which tells backends that the graph is the same.
void unchanged_graph(benchmark::State& state, ggml_backend_dev_t device, ggml_backend_dev_t cpu) {
    const Chain chain(device, static_cast<size_t>(state.range(0)));
    const Owned<ggml_backend_t> other(ggml_backend_dev_init(cpu, nullptr));
    std::vector<ggml_backend_t> backends{chain.backend(), other.get()};
    const Owned<ggml_backend_sched_t> scheduler(ggml_backend_sched_new(
        backends.data(), nullptr, 2, size_t{4} * kLargestGraph, false, true));
    ggml_backend_sched_alloc_graph(scheduler.get(), chain.graph());
    for (auto step : state)
        ggml_backend_sched_graph_compute(scheduler.get(), chain.graph());
}

void changed_graph(benchmark::State& state, ggml_backend_dev_t device) {
    const Chain chain(device, static_cast<size_t>(state.range(0)));
    int32_t round = 0;
    for (auto step : state) {
        // A few tensors, as where the place in the cache moves on.
        ++round;
        for (int i = 0; i < ggml_graph_n_nodes(chain.graph()); i += 100)
            ggml_format_name(ggml_graph_node(chain.graph(), i), "round %d", round);
        ggml_backend_graph_compute(chain.backend(), chain.graph());
    }
}

class Bytes {
 public:
    Bytes(ggml_backend_dev_t device, int64_t size)
        : backend_(ggml_backend_dev_init(device, nullptr)),
          context_(ggml_init(
              {.mem_size = 4 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})),
          tensor_(ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, size)),
          buffer_(ggml_backend_alloc_ctx_tensors(context_.get(), backend_.get())),
          here_(static_cast<size_t>(size), 1) {
        ggml_backend_tensor_set(tensor_, here_.data(), 0, here_.size());
    }
    void set() { ggml_backend_tensor_set(tensor_, here_.data(), 0, here_.size()); }
    void get() { ggml_backend_tensor_get(tensor_, here_.data(), 0, here_.size()); }
    // A remote set is queued; this waits for it.
    void wait() { ggml_backend_tensor_get(tensor_, here_.data(), 0, 1); }

 private:
    Owned<ggml_backend_t> backend_;
    Owned<ggml_context*> context_;
    ggml_tensor* tensor_;
    Owned<ggml_backend_buffer_t> buffer_;
    std::vector<char> here_;
};

void set_bytes(benchmark::State& state, ggml_backend_dev_t device) {
    Bytes bytes(device, state.range(0));
    for (auto step : state) {
        bytes.set();
        bytes.wait();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void get_bytes(benchmark::State& state, ggml_backend_dev_t device) {
    Bytes bytes(device, state.range(0));
    for (auto step : state)
        bytes.get();
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void declare_benchmarks(ggml_backend_dev_t device, ggml_backend_dev_t cpu) {
    using benchmark::RegisterBenchmark;
    constexpr int64_t kLargest = int64_t{256} << 20;
    RegisterBenchmark("round_trip_awake", round_trip_awake, device);
    RegisterBenchmark("round_trip_asleep", round_trip_asleep, device)
        ->UseManualTime()
        ->Iterations(100);
    for (const int nodes : {100, 300, 1300, 3000, kLargestGraph}) {
        RegisterBenchmark("unchanged_graph", unchanged_graph, device, cpu)
            ->Arg(nodes)
            ->UseRealTime();
        RegisterBenchmark("changed_graph", changed_graph, device)->Arg(nodes)->UseRealTime();
    }
    RegisterBenchmark("set_bytes", set_bytes, device)
        ->RangeMultiplier(16)
        ->Range(64, kLargest)
        ->UseRealTime();
    RegisterBenchmark("get_bytes", get_bytes, device)
        ->RangeMultiplier(16)
        ->Range(64, kLargest)
        ->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        static_cast<void>(std::fprintf(stderr, "usage: micro DEVICE BACKEND_FOLDER [options]\n"));
        return EXIT_FAILURE;
    }
    ggml_backend_load_all_from_path(argv[2]);
    ggml_backend_dev_t const device = ggml_backend_dev_by_name(argv[1]);
    ggml_backend_dev_t const cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr || cpu == nullptr) {
        static_cast<void>(std::fprintf(stderr, "micro: there is no device '%s' here\n", argv[1]));
        return EXIT_FAILURE;
    }
    declare_benchmarks(device, cpu);
    argv[2] = argv[0];
    int count = argc - 2;
    benchmark::Initialize(&count, argv + 2);
    benchmark::RunSpecifiedBenchmarks();
}
