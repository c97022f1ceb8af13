// A plug-in whose host computes in memory that the guest sees.
#pragma once

#include <thread>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {

class SharedMemoryTest : public PluginTest {
 protected:
    static constexpr size_t kSmallestShared = size_t{64} * 1024;
    static constexpr int64_t kLargeBytes = int64_t{128} * 1024;

    explicit SharedMemoryTest(HostSettings host = {.shares_memory = true})
        : PluginTest(std::move(host)) {}

    // For the tensors below.
    GgmlBuffer allocate_shared() {
        first_ = small_ = bytes(16);
        large_ = bytes(kLargeBytes);
        graph_ = graph_of(
            ggml_scale(context_.get(), ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8), 2.0F));
        return allocate();
    }

    ggml_tensor* bytes(int64_t count) {
        return ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, count);
    }

    static void fill(ggml_tensor* tensor, uint8_t value) {
        const std::vector<uint8_t> values(ggml_nbytes(tensor), value);
        ggml_backend_tensor_set(tensor, values.data(), 0, values.size());
    }

    static int byte_of(const ggml_tensor* tensor, size_t offset = 0) {
        uint8_t value = 0;
        ggml_backend_tensor_get(tensor, &value, offset, 1);
        return value;
    }

    // Without asking anybody; the addresses are the same on both sides.
    static std::byte seen_by_host(const ggml_tensor* tensor, size_t offset = 0) {
        return static_cast<const std::byte*>(tensor->data)[offset];
    }

    // What graphs do.
    void compute_fills_with(int value) {
        host_.compute_by([this, value] { std::memset(small_->data, value, ggml_nbytes(small_)); });
    }

    // While the test waits.
    std::jthread resume_later() {
        return std::jthread([this] {
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            resume_host();
        });
    }

    ggml_tensor* first_ = nullptr;  // where the buffer begins
    ggml_tensor* small_ = nullptr;
    ggml_tensor* large_ = nullptr;
    ggml_cgraph* graph_ = nullptr;
};

}  // namespace virtgpu::frontend
