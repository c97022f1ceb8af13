// What single things cost on a ggml device, native or remote: the rows of docs/performance.md that
// are not tokens per second. Calls ggml's public functions alone, as an application does.
//
// usage: micro DEVICE BACKEND_FOLDER [options of Google Benchmark]
//        DEVICE: ggml's name for it, or HOST:PORT of a ggml-rpc-server
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "tools/benchmark/chain.h"
#include "tools/benchmark/devices.h"

namespace {

using virtgpu::benchmark::Chain;
using virtgpu::benchmark::Owned;
using virtgpu::benchmark::Scheduled;

using virtgpu::benchmark::kLargestGraph;
using virtgpu::benchmark::kUsualGraph;

constexpr int kAsleepIterations = 100;

void fetch(const Chain& chain) {
    benchmark::DoNotOptimize(chain.result());
}

// Long enough for everybody to stop polling and go to sleep.
void let_everybody_sleep() {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

template <typename Work>
void measure_after_sleep(benchmark::State& state, const Work& work) {
    using Clock = std::chrono::steady_clock;
    let_everybody_sleep();
    const auto start = Clock::now();
    work();
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
}

void round_trip_awake(benchmark::State& state, ggml_backend_dev_t device) {
    const Chain chain(device, 1);
    for ([[maybe_unused]] auto step : state)
        fetch(chain);
}

void round_trip_asleep(benchmark::State& state, ggml_backend_dev_t device) {
    const Chain chain(device, 1);
    for ([[maybe_unused]] auto step : state)
        measure_after_sleep(state, [&] { fetch(chain); });
}

void unchanged_graph(benchmark::State& state, ggml_backend_dev_t device, ggml_backend_dev_t cpu) {
    Scheduled graph(device, cpu, static_cast<size_t>(state.range(0)));
    for ([[maybe_unused]] auto step : state)
        benchmark::DoNotOptimize(graph.compute());
}

void unchanged_graph_asleep(benchmark::State& state, ggml_backend_dev_t device,
                            ggml_backend_dev_t cpu) {
    Scheduled graph(device, cpu, static_cast<size_t>(state.range(0)));
    for ([[maybe_unused]] auto step : state)
        measure_after_sleep(state, [&] { benchmark::DoNotOptimize(graph.compute()); });
}

void changed_graph(benchmark::State& state, ggml_backend_dev_t device) {
    const Chain chain(device, static_cast<size_t>(state.range(0)));
    int32_t round = 0;
    ggml_backend_graph_compute(chain.backend(), chain.graph());  // known, before it changes
    for ([[maybe_unused]] auto step : state) {
        // A tenth of the tensors, as where the place in the cache moves on: four of a layer's
        // forty.
        ++round;
        for (int i = 0; i < ggml_graph_n_nodes(chain.graph()); i += 10)
            ggml_format_name(ggml_graph_node(chain.graph(), i), "round %d", round);
        ggml_backend_graph_compute_async(chain.backend(), chain.graph());
        benchmark::DoNotOptimize(chain.result_when_done());
    }
}

// What a copy costs that nobody else takes part in.
void copy_memory(benchmark::State& state) {
    const auto size = static_cast<size_t>(state.range(0));
    const std::vector<char> from(size, 1);
    std::vector<char> to(size, 2);
    for ([[maybe_unused]] auto step : state) {
        std::memcpy(to.data(), from.data(), size);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

// A tensor on the device, and as many bytes here: in pageable memory, or in the device's host
// buffer type (`pinned`).
class Bytes {
 public:
    Bytes(ggml_backend_dev_t device, int64_t size, ggml_backend_buffer_type_t pinned)
        : size_(static_cast<size_t>(size)),
          backend_(ggml_backend_dev_init(device, nullptr)),
          context_(ggml_init(
              {.mem_size = 4 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})),
          tensor_(ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, size)),
          buffer_(ggml_backend_alloc_ctx_tensors(context_.get(), backend_.get())) {
        if (pinned != nullptr)
            pinned_.reset(ggml_backend_buft_alloc_buffer(pinned, size_));
        else
            pageable_.resize(size_);
        here_ = pinned_ ? ggml_backend_buffer_get_base(pinned_.get()) : pageable_.data();
        std::memset(here_, 1, size_);
        set();
    }
    void set() { ggml_backend_tensor_set(tensor_, here_, 0, size_); }
    void get() { ggml_backend_tensor_get(tensor_, here_, 0, size_); }
    // A remote set is queued; this waits for it.
    void wait() { ggml_backend_tensor_get(tensor_, here_, 0, 1); }

 private:
    const size_t size_;
    Owned<ggml_backend_t> backend_;
    Owned<ggml_context*> context_;
    ggml_tensor* tensor_;
    Owned<ggml_backend_buffer_t> buffer_;
    Owned<ggml_backend_buffer_t> pinned_;
    std::vector<char> pageable_;
    void* here_ = nullptr;
};

void set_bytes(benchmark::State& state, ggml_backend_dev_t device,
               ggml_backend_buffer_type_t pinned) {
    Bytes bytes(device, state.range(0), pinned);
    for ([[maybe_unused]] auto step : state) {
        bytes.set();
        bytes.wait();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void get_bytes(benchmark::State& state, ggml_backend_dev_t device,
               ggml_backend_buffer_type_t pinned) {
    Bytes bytes(device, state.range(0), pinned);
    for ([[maybe_unused]] auto step : state)
        bytes.get();
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void declare_graphs(ggml_backend_dev_t device, ggml_backend_dev_t cpu) {
    using benchmark::RegisterBenchmark;
    for (const int nodes : {100, 300, 1000, kUsualGraph, 3000, kLargestGraph}) {
        RegisterBenchmark("unchanged_graph", unchanged_graph, device, cpu)
            ->Arg(nodes)
            ->UseRealTime();
        RegisterBenchmark("changed_graph", changed_graph, device)->Arg(nodes)->UseRealTime();
    }
    RegisterBenchmark("unchanged_graph_asleep", unchanged_graph_asleep, device, cpu)
        ->Arg(kUsualGraph)
        ->UseManualTime()
        ->Iterations(kAsleepIterations);
}

void declare_transfers(ggml_backend_dev_t device) {
    using benchmark::RegisterBenchmark;
    ggml_backend_buffer_type_t const pageable = nullptr;
    ggml_backend_buffer_type_t const pinned = ggml_backend_dev_host_buffer_type(device);
    const auto over_sizes = [](benchmark::internal::Benchmark* row) {
        row->RangeMultiplier(16)->Range(64, int64_t{256} << 20)->UseRealTime();
    };
    over_sizes(RegisterBenchmark("memcpy", copy_memory));
    over_sizes(RegisterBenchmark("set_bytes", set_bytes, device, pageable));
    over_sizes(RegisterBenchmark("get_bytes", get_bytes, device, pageable));
    if (pinned == nullptr)
        return;
    over_sizes(RegisterBenchmark("set_pinned", set_bytes, device, pinned));
    over_sizes(RegisterBenchmark("get_pinned", get_bytes, device, pinned));
}

void declare_round_trips(ggml_backend_dev_t device) {
    using benchmark::RegisterBenchmark;
    RegisterBenchmark("round_trip_awake", round_trip_awake, device)->UseRealTime();
    RegisterBenchmark("round_trip_asleep", round_trip_asleep, device)
        ->UseManualTime()
        ->Iterations(kAsleepIterations);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        static_cast<void>(std::fprintf(stderr, "usage: micro DEVICE BACKEND_FOLDER [options]\n"));
        return EXIT_FAILURE;
    }
    ggml_backend_dev_t const device = virtgpu::benchmark::find_device(argv[1], argv[2]);
    ggml_backend_dev_t const cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr || cpu == nullptr) {
        static_cast<void>(std::fprintf(stderr, "micro: there is no device '%s' here\n", argv[1]));
        return EXIT_FAILURE;
    }
    declare_round_trips(device);
    declare_graphs(device, cpu);
    declare_transfers(device);
    argv[2] = argv[0];
    int count = argc - 2;
    benchmark::Initialize(&count, argv + 2);
    benchmark::RunSpecifiedBenchmarks();
}
