// How far a ring has come, for requests on other rings that come after it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace virtgpu::backend {

// Thread safe. Never goes back.
class Progress {
 public:
    void advance(uint64_t completed) {
        uint64_t before = completed_.load();
        while (before < completed && !completed_.compare_exchange_weak(before, completed)) {
        }
        // Taken only when somebody waits, which is rare: a lock per request would show.
        if (waiting_.load() == 0)
            return;
        { const std::lock_guard lock(mutex_); }
        changed_.notify_all();
    }
    // The ring is served no more; nobody need wait for it.
    void end() { advance(UINT64_MAX); }

    // Whether somebody waits for the ring to come further.
    bool is_awaited() const { return waiting_.load() != 0; }
    bool reached(uint64_t sequence) const { return completed_.load() >= sequence; }

    // True when `sequence` is done; false when `timeout` passes first.
    bool wait_for(uint64_t sequence, std::chrono::milliseconds timeout) {
        if (reached(sequence))
            return true;
        std::unique_lock lock(mutex_);
        ++waiting_;
        const bool done = changed_.wait_for(lock, timeout, [&] { return reached(sequence); });
        --waiting_;
        return done;
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<uint64_t> completed_{0};
    std::atomic<uint32_t> waiting_{0};
};

}  // namespace virtgpu::backend
