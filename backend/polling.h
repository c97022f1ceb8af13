// How the threads of rings wait while they are awake.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

namespace virtgpu::backend {

struct Polling {
    // How long a ring's thread looks at its ring before it sleeps; none where every processor
    // computes.
    std::chrono::microseconds longest{0};
    // The same while a device computes in the background and nobody waits for it.
    std::chrono::microseconds patience{0};
    // Shared by all rings of the process: no more than one of them polls at a time.
    std::shared_ptr<std::atomic<bool>> taken = std::make_shared<std::atomic<bool>>(false);
};

// The right to poll, where nobody else has it; given back at the end, also when serving throws.
class PollingTurn {
 public:
    explicit PollingTurn(const Polling& polling)
        : taken_(*polling.taken), mine_(!taken_.exchange(true)) {}
    ~PollingTurn() {
        if (mine_)
            taken_ = false;
    }
    PollingTurn(const PollingTurn&) = delete;
    PollingTurn& operator=(const PollingTurn&) = delete;

    explicit operator bool() const { return mine_; }

 private:
    std::atomic<bool>& taken_;
    const bool mine_;
};

}  // namespace virtgpu::backend
