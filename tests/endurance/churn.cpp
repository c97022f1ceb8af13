// Does one thing very often on a remote device, so that a harness can see whether anything stays
// behind, here or on the host.
//
// usage: churn DEVICE BACKEND_FOLDER graphs|buffers|streams COUNT
//
// Does a part to warm up, prints "warm", waits for a line, does the rest, prints "done" and waits
// again.
#include <ggml-alloc.h>
#include <ggml-backend.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string_view>

namespace {

struct Deleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    void operator()(ggml_gallocr_t allocator) const { ggml_gallocr_free(allocator); }
};
template <typename T>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Deleter>;

constexpr int kMostNodes = 64;

Owned<ggml_context*> make_context() {
    return Owned<ggml_context*>(
        ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true}));
}

// Graphs of other shapes each time, as prompts of different lengths make them.
class Graphs {
 public:
    explicit Graphs(ggml_backend_dev_t device)
        : backend_(ggml_backend_dev_init(device, nullptr)),
          allocator_(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_.get()))) {}

    bool compute(int round) {
        const auto context = make_context();
        ggml_cgraph* const graph = ggml_new_graph(context.get());
        ggml_tensor* last =
            ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 16 + round % 97, 1 + round % 13);
        ggml_set_input(last);
        for (int i = 0; i <= round % kMostNodes; ++i)
            last = ggml_scale(context.get(), last, 0.5F);
        ggml_set_output(last);
        ggml_build_forward_expand(graph, last);
        return ggml_gallocr_alloc_graph(allocator_.get(), graph) &&
               ggml_backend_graph_compute(backend_.get(), graph) == GGML_STATUS_SUCCESS;
    }

 private:
    Owned<ggml_backend_t> backend_;
    Owned<ggml_gallocr_t> allocator_;
};

bool use_a_buffer(ggml_backend_dev_t device, int round) {
    // From some bytes to some megabytes: in the device's memory, and in shared memory.
    const size_t size = size_t{256} << (round % 16);
    const Owned<ggml_backend_buffer_t> buffer(
        ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device), size));
    if (!buffer)
        return false;
    ggml_backend_buffer_clear(buffer.get(), static_cast<uint8_t>(round));
    return true;
}

bool use_a_stream(ggml_backend_dev_t device, int round) {
    return Graphs(device).compute(round);
}

using Step = std::function<bool(int)>;

Step step_for(std::string_view what, ggml_backend_dev_t device) {
    if (what == "graphs")
        return [graphs = std::make_shared<Graphs>(device)](int i) { return graphs->compute(i); };
    if (what == "buffers")
        return [device](int round) { return use_a_buffer(device, round); };
    if (what == "streams")
        return [device](int round) { return use_a_stream(device, round); };
    return nullptr;
}

void report_and_wait(const char* word) {
    static_cast<void>(std::printf("%s\n", word));
    static_cast<void>(std::fflush(stdout));
    static_cast<void>(std::getchar());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5)
        return EXIT_FAILURE;
    ggml_backend_load_all_from_path(argv[2]);
    ggml_backend_dev_t const device = ggml_backend_dev_by_name(argv[1]);
    const Step step = device == nullptr ? nullptr : step_for(argv[3], device);
    if (!step)
        return EXIT_FAILURE;
    const int count = std::atoi(argv[4]);
    const int warm = count / 5;
    for (int i = 0; i < count; ++i) {
        if (i == warm)
            report_and_wait("warm");
        if (!step(i)) {
            static_cast<void>(std::fprintf(stderr, "churn: round %d failed\n", i));
            return EXIT_FAILURE;
        }
    }
    report_and_wait("done");
}
