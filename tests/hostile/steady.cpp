// A well-behaved client that computes the same graph until it is told to stop, and looks at each
// result.
//
// usage: steady DEVICE BACKEND_FOLDER
//
// Prints "ready"; then for every line that it reads, how many rounds it has computed and how many
// of them were wrong. Ends at the end of its input; exits with 1 when something failed.
#include <ggml-alloc.h>
#include <ggml-backend.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kSize = 256;

template <auto kFree>
struct Deleter {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};

// Whole numbers, so that the result is exact in any order of additions.
std::vector<float> numbers(int64_t count, int factor) {
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(static_cast<int>(i * 7) % 5 * factor % 11);
    return values;
}

std::vector<float> expected(const std::vector<float>& weights, const std::vector<float>& input) {
    std::vector<float> product(static_cast<size_t>(kSize));
    for (size_t row = 0; row < product.size(); ++row)
        for (size_t i = 0; i < input.size(); ++i)
            product[row] += weights[row * input.size() + i] * input[i];
    return product;
}

struct Counts {
    std::atomic<long> rounds{0};
    std::atomic<long> wrong{0};
    std::atomic<bool> failed{false};
    std::atomic<bool> stop{false};
};

void compute(ggml_backend_dev_t device, Counts& counts) {
    const std::unique_ptr<ggml_backend, Deleter<ggml_backend_free>> owned_backend(
        ggml_backend_dev_init(device, nullptr));
    const std::unique_ptr<ggml_context, Deleter<ggml_free>> owned_context(
        ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_backend_t const backend = owned_backend.get();
    ggml_context* const context = owned_context.get();
    ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_F32, kSize, kSize);
    ggml_tensor* const input = ggml_new_tensor_1d(context, GGML_TYPE_F32, kSize);
    ggml_tensor* const output = ggml_mul_mat(context, weights, input);
    ggml_cgraph* const graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, output);
    const std::unique_ptr<ggml_backend_buffer, Deleter<ggml_backend_buffer_free>> buffer(
        backend == nullptr ? nullptr : ggml_backend_alloc_ctx_tensors(context, backend));
    if (!buffer) {
        counts.failed = true;
        return;
    }
    const auto matrix = numbers(kSize * kSize, 3);
    ggml_backend_tensor_set(weights, matrix.data(), 0, ggml_nbytes(weights));
    std::vector<float> result(static_cast<size_t>(kSize));
    while (!counts.stop) {
        const auto vector = numbers(kSize, static_cast<int>(counts.rounds % 7 + 1));
        ggml_backend_tensor_set(input, vector.data(), 0, ggml_nbytes(input));
        if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) {
            counts.failed = true;
            return;
        }
        ggml_backend_tensor_get(output, result.data(), 0, ggml_nbytes(output));
        if (result != expected(matrix, vector))
            ++counts.wrong;
        ++counts.rounds;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return EXIT_FAILURE;
    ggml_backend_load_all_from_path(argv[2]);
    ggml_backend_dev_t const device = ggml_backend_dev_by_name(argv[1]);
    if (device == nullptr)
        return EXIT_FAILURE;
    Counts counts;
    std::thread computing(compute, device, std::ref(counts));
    static_cast<void>(std::printf("ready\n"));
    static_cast<void>(std::fflush(stdout));
    for (int c = std::getchar(); c != EOF; c = std::getchar()) {
        if (c != '\n')
            continue;
        static_cast<void>(std::printf("%ld %ld\n", counts.rounds.load(), counts.wrong.load()));
        static_cast<void>(std::fflush(stdout));
        if (counts.failed)
            break;
    }
    counts.stop = true;
    computing.join();
    return counts.failed || counts.wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
