// A client that computes what it is told to, each time with a backend and buffers of its own, and
// goes on after a failure, as a server does.
//
// usage: attempts DEVICE BACKEND_FOLDER
//
// Prints "ready"; then for every line "SIZE NODES", which names a chain of products of matrices of
// ones, one of: computed, wrong, failed, "no memory", "no backend". SIZE is a power of two.
#include <ggml-alloc.h>
#include <ggml-backend.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

template <auto kFree>
struct Deleter {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using Context = std::unique_ptr<ggml_context, Deleter<ggml_free>>;
using Backend = std::unique_ptr<ggml_backend, Deleter<ggml_backend_free>>;
using Allocator = std::unique_ptr<ggml_gallocr, Deleter<ggml_gallocr_free>>;

// A product of ones is `size` everywhere; scaled by 1/size, which is exact, it is ones again.
ggml_tensor* chain(ggml_context* context, ggml_tensor* ones, int nodes) {
    ggml_tensor* last = ones;
    for (int i = 0; i < nodes; ++i)
        last = ggml_scale(context, ggml_mul_mat(context, ones, last),
                          1.0F / static_cast<float>(ones->ne[0]));
    return last;
}

const char* attempt(ggml_backend_dev_t device, int size, int nodes) {
    const Context context(
        ggml_init({.mem_size = size_t{16} << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_tensor* const ones = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, size, size);
    ggml_set_input(ones);
    ggml_tensor* const last = chain(context.get(), ones, nodes);
    ggml_cgraph* const graph = ggml_new_graph_custom(context.get(), 16384, false);
    ggml_build_forward_expand(graph, last);

    const Backend backend(ggml_backend_dev_init(device, nullptr));
    if (!backend)
        return "no backend";
    const Allocator allocator(
        ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend.get())));
    if (!ggml_gallocr_alloc_graph(allocator.get(), graph))
        return "no memory";
    std::vector<float> values(static_cast<size_t>(size) * static_cast<size_t>(size), 1.0F);
    ggml_backend_tensor_set(ones, values.data(), 0, ggml_nbytes(ones));
    // Queued: the wait may be what finds out.
    if (ggml_backend_graph_compute(backend.get(), graph) != GGML_STATUS_SUCCESS)
        return "failed";
    ggml_backend_tensor_get(last, values.data(), 0, ggml_nbytes(last));
    if (std::all_of(values.begin(), values.end(), [](float value) { return value == 1.0F; }))
        return "computed";
    // What a lost device gives.
    return std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; })
               ? "failed"
               : "wrong";
}

void say(const char* line) {
    static_cast<void>(std::printf("%s\n", line));
    static_cast<void>(std::fflush(stdout));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return EXIT_FAILURE;
    ggml_backend_load_all_from_path(argv[2]);
    ggml_backend_dev_t const device = ggml_backend_dev_by_name(argv[1]);
    if (device == nullptr)
        return EXIT_FAILURE;
    say("ready");
    int size = 0;
    int nodes = 0;
    while (std::scanf("%d %d", &size, &nodes) == 2)
        say(attempt(device, size, nodes));
    return EXIT_SUCCESS;
}
