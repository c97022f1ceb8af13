// A program in a guest, with upstream's frontend.
//
//     virtgpu_upstream_guest (--socket PATH | --capset 4 | --capset 10) TASK
//
//   graphs   graphs by both data paths; each has to be what ggml itself makes of it
//   endless  the same graph again and again, until it is killed
//   stray    an index outside of its tensor, which ends the host's worker: the guest sees a failed
//            graph, and from then on each call says so in its way
//   slow     asks for a blob while a graph is computed
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

#include "tests/apir/drm_device.h"
#include "tests/apir/guest_graph.h"
#include "tests/apir/socket_device.h"

namespace virtgpu::test {
namespace {

constexpr int kRounds = 5;

void require(bool holds, const char* what) {
    if (!holds)
        throw std::runtime_error(what);
}

std::unique_ptr<GuestDevice> make_device(const std::string& kind, const char* where) {
    if (kind == "--socket")
        return std::make_unique<SocketDevice>(where);
    return std::make_unique<DrmDevice>(static_cast<uint32_t>(std::strtoul(where, nullptr, 10)));
}

void graphs(UpstreamGuest& guest) {
    std::printf("%s: %s, type %u, %llu bytes, buffers of %llu\n", guest.name.c_str(),
                guest.description.c_str(), guest.type,
                static_cast<unsigned long long>(guest.memory_total),
                static_cast<unsigned long long>(guest.max_size));
    GuestGraph shared(guest, layer_like);
    require(shared.buffer.blob.has_value(), "the host wants no zero-copy");
    GuestGraph copied(guest, layer_like);
    copied.buffer = allocate_on_host(guest, copied.native.size());
    for (int i = 0; i < kRounds; ++i) {
        require(shared.same_as_native(), "another result, by the zero-copy path");
        require(copied.same_as_native(), "another result, by the copy path");
    }
    require(guest.supports_op(shared.native.result), "an operation that every backend has");
    require(guest.alloc_size(shared.native.result) >= ggml_nbytes(shared.native.result),
            "the size of a tensor");
    guest.free(shared.buffer);
    guest.free(copied.buffer);
    std::puts("the same as native, by both paths");
}

void endless(UpstreamGuest& guest) {
    GuestGraph graph(guest, layer_like);
    graph.send_inputs();
    for (bool said = false;;) {
        require(graph.compute() == GGML_STATUS_SUCCESS, "a graph");
        if (!std::exchange(said, true)) {
            std::puts("computing");
            std::fflush(stdout);
        }
    }
}

ggml_tensor* lookup(ggml_context* context) {
    ggml_tensor* const rows = ggml_new_tensor_2d(context, GGML_TYPE_F32, 32, 8);
    return ggml_get_rows(context, rows, ggml_new_tensor_1d(context, GGML_TYPE_I32, 4));
}

void stray(UpstreamGuest& guest) {
    GuestGraph graph(guest, lookup);
    require(graph.same_as_native(), "the rows that are there");
    const ggml_tensor* const ids = graph.native.leaves()[1];
    constexpr int32_t kFar[] = {0x7fffff, 1, 2, 3};
    guest.set(graph.buffer, ids, graph.place(), kFar, 0, sizeof kFar);
    const int32_t status = graph.compute();
    std::printf("status %d\n", status);
    require(status == GGML_STATUS_FAILED, "a graph with a stray index is not computed");
    require(graph.compute() == GGML_STATUS_FAILED, "and none after it");
    const GuestBuffer buffer = allocate_on_host(guest, 4096);
    guest.clear(buffer, 1);
    guest.free(buffer);
    std::puts("failed, and nothing was aborted");
}

ggml_tensor* long_work(ggml_context* context) {
    ggml_tensor* const factor = ggml_new_tensor_2d(context, GGML_TYPE_F32, 192, 192);
    ggml_tensor* product = factor;
    for (int i = 0; i < 4; ++i)
        product = ggml_mul_mat(context, factor, product);
    return product;
}

void slow(UpstreamGuest& guest) {
    GuestGraph graph(guest, long_work);
    graph.send_inputs();
    std::thread computes([&] {
        for (int i = 0; i < 30; ++i)
            graph.compute();
    });
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i)
        guest.device().destroy_blob(guest.device().create_blob(16384));
    const std::chrono::duration<double> blobs = std::chrono::steady_clock::now() - begin;
    computes.join();
    const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
    std::printf("blobs %.3f s, graphs %.3f s\n", blobs.count(), all.count());
    require(blobs < all / 2, "a blob that does not wait for graphs");
}

// For what is computed to compare with: where the build has them, else where the machine has.
void load_backends() {
    if (std::filesystem::exists(VIRTGPU_GGML_BACKEND_DIR))
        ggml_backend_load_all_from_path(VIRTGPU_GGML_BACKEND_DIR);
    else
        ggml_backend_load_all();
}

int run(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s (--socket PATH | --capset 4|10) TASK\n", argv[0]);
        return EXIT_FAILURE;
    }
    load_backends();
    const std::unique_ptr<GuestDevice> device = make_device(argv[1], argv[2]);
    UpstreamGuest guest(*device);
    guest.start();
    const std::string task = argv[3];
    if (task == "graphs")
        graphs(guest);
    else if (task == "endless")
        endless(guest);
    else if (task == "stray")
        stray(guest);
    else if (task == "slow")
        slow(guest);
    else
        throw std::runtime_error("no such task: " + task);
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace virtgpu::test

int main(int argc, char** argv) try {
    return virtgpu::test::run(argc, argv);
} catch (const std::exception& error) {
    std::fprintf(stderr, "virtgpu_upstream_guest: %s\n", error.what());
    return EXIT_FAILURE;
}
