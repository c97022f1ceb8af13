#pragma once

#include <deque>
#include <mutex>

#include "protocol/generated/structures.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Numbers of a context's rings; 0 is the context's own. Thread safe. A number that was given back
// is the last to be given out again, so the host has time to finish with its ring.
class RingNumbers {
 public:
    RingNumbers() {
        for (uint32_t number = 1; number < protocol::kMaxRings; ++number)
            free_.push_back(number);
    }

    wire::Result<uint32_t> take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty())
            return wire::fail(wire::Fault::kRefused, "all {} streams are in use",
                              protocol::kMaxRings - 1);
        const uint32_t number = free_.front();
        free_.pop_front();
        return number;
    }

    void give_back(uint32_t number) {
        const std::lock_guard lock(mutex_);
        free_.push_back(number);
    }

 private:
    std::mutex mutex_;
    std::deque<uint32_t> free_;
};

}  // namespace virtgpu::frontend
