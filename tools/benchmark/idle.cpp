// Computes one graph very often on a device, prints "idle" and then does nothing until it reads a
// line or its input ends, so that a harness can see what graphs cost, and what being connected
// costs.
//
// usage: idle DEVICE BACKEND_FOLDER GRAPHS
#include <cstdio>
#include <cstdlib>

#include "tools/benchmark/chain.h"
#include "tools/benchmark/devices.h"

namespace bench = virtgpu::benchmark;

int main(int argc, char** argv) {
    if (argc != 4) {
        static_cast<void>(std::fprintf(stderr, "usage: idle DEVICE BACKEND_FOLDER GRAPHS\n"));
        return EXIT_FAILURE;
    }
    ggml_backend_dev_t const device = bench::find_device(argv[1], argv[2]);
    ggml_backend_dev_t const cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr || cpu == nullptr) {
        static_cast<void>(std::fprintf(stderr, "idle: there is no device '%s' here\n", argv[1]));
        return EXIT_FAILURE;
    }
    const bench::Scheduled graph(device, cpu, bench::kUsualGraph);
    const long count = std::strtol(argv[3], nullptr, 10);
    for (long i = 0; i < count; ++i)
        static_cast<void>(graph.compute());
    static_cast<void>(std::printf("idle\n"));
    static_cast<void>(std::fflush(stdout));
    static_cast<void>(std::getchar());
}
