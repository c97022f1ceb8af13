// How far ring 0 has come, for requests on other rings that come after it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace virtgpu::backend {

// Thread safe.
class Progress {
 public:
    void advance(uint64_t completed) {
        {
            const std::lock_guard lock(mutex_);
            completed_ = completed;
        }
        changed_.notify_all();
    }

    // True when `sequence` is done; false when `timeout` passes first.
    bool wait_for(uint64_t sequence, std::chrono::milliseconds timeout) const {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, timeout, [&] { return completed_ >= sequence; });
    }

 private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    uint64_t completed_ = 0;
};

}  // namespace virtgpu::backend
