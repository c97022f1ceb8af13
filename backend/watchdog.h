// Notices graphs, and calls of libraries, that never end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "backend/export.h"

namespace virtgpu::backend {

// Thread safe. A backend that can stop does so at the limit; for one that cannot, or that is stuck,
// `hung` is called a moment later, from the watchdog's thread.
class VIRTGPU_EXPORT Watchdog {
 public:
    using Clock = std::chrono::steady_clock;
    using Hung = std::function<void(uint32_t context)>;

    // Without a limit (0) nothing is watched. `grace`: what a backend gets to stop.
    Watchdog(std::chrono::milliseconds limit, std::chrono::milliseconds grace, Hung hung);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    std::chrono::milliseconds limit() const { return limit_; }

    // Graphs that run, from the constructor to the destructor; each may take the limit. The
    // watchdog must outlive it; null watches nothing.
    class VIRTGPU_EXPORT Timed {
     public:
        Timed(Watchdog* watchdog, uint32_t context, uint32_t graphs = 1);
        ~Timed();
        Timed(const Timed&) = delete;
        Timed& operator=(const Timed&) = delete;

        bool expired() const;

     private:
        friend class Watchdog;
        Watchdog* watchdog_;
        uint32_t context_;
        Clock::duration limit_{};
        Clock::time_point start_;
        std::list<const Timed*>::iterator place_;
    };

 private:
    void watch();
    bool look(Clock::time_point now);

    const std::chrono::milliseconds limit_;
    const std::chrono::milliseconds grace_;
    const Hung hung_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<const Timed*> running_;
    // Graphs come and go a thousand times a second: the thread looks now and then, and is woken
    // only where it has found nothing to look at for a while.
    bool any_since_last_look_ = false;
    bool asleep_ = false;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace virtgpu::backend
