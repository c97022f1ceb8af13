// Guests with upstream's frontend behind a virglrenderer that has loaded our library.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "tests/apir/fake_virglrenderer.h"
#include "tests/apir/guest_graph.h"

namespace virtgpu::test {

// ggml's CPU backend for this machine, as a file.
inline std::string cpu_backend() {
    return VIRTGPU_CPU_BACKEND;
}

// A process of the guest.
struct Process {
    Process(FakeVirglrenderer& renderer, uint32_t number, uint32_t minor = 2)
        : context(renderer, number), guest(std::make_unique<UpstreamGuest>(context, minor)) {}
    // The blobs stay behind, as when it is killed.
    ~Process() = default;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    FakeVirglrenderer::Context context;
    std::unique_ptr<UpstreamGuest> guest;
};

class LibraryTest : public ::testing::Test {
 protected:
    LibraryTest() : renderer(VIRTGPU_BACKEND_LIBRARY) {
        renderer.configure("ggml.library.path", cpu_backend());
    }

    std::unique_ptr<Process> start(uint32_t number = 1, uint32_t minor = 2) {
        auto process = std::make_unique<Process>(renderer, number, minor);
        process->guest->start();
        return process;
    }

    FakeVirglrenderer renderer;
};

}  // namespace virtgpu::test
