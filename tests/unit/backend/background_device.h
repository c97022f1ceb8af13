// A made-up device that computes in the background, as GPUs do.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::backend {

// With the processor's means, in memory that ggml takes for the device's own. What it is given is
// done at once but unfinished until synchronize(), which waits while the device is held busy. Once
// for the process, as ggml's registry is: catalogues know it as the backend kName.
class BackgroundDevice {
 public:
    static constexpr const char* kName = "background";
    static constexpr const char* kDevice = "BACKGROUND0";

    static BackgroundDevice& registered();

    // From any thread.
    void hold_busy(bool busy);
    // From now on what it is to compute ends with std::bad_alloc.
    void be_short_of_memory(bool is_short) { short_of_memory_ = is_short; }
    // Streams that were not freed; and frees them.
    size_t open_streams();
    void free_streams();
    bool has_abort_callback() const { return has_abort_callback_; }
    // Transfers of buffers that are not its own, of which real backends assert that there are none.
    size_t misused() const { return misused_; }

    BackgroundDevice(const BackgroundDevice&) = delete;
    BackgroundDevice& operator=(const BackgroundDevice&) = delete;

 private:
    struct Calls;  // by ggml

    BackgroundDevice();

    ggml_backend_reg registry_{};
    ggml_backend_device device_{};
    ggml_backend_buffer_type type_{};
    std::array<uint8_t, 16> guid_{7};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool busy_ = false;
    std::set<ggml_backend_t> open_;
    std::atomic<bool> short_of_memory_{false};
    std::atomic<bool> has_abort_callback_{false};
    std::atomic<size_t> misused_{0};
};

}  // namespace virtgpu::backend
