// A log that a guest cannot fill.
#pragma once

#include <chrono>
#include <mutex>

#include "wire/log.h"

namespace virtgpu::wire {

// Passes so many lines on in each period and says how many it left out. Thread safe. Debug lines
// are passed on always: who asks for them wants them all. `log` must outlive it.
class LimitedLog : public Log {
 public:
    using Clock = std::chrono::steady_clock;

    LimitedLog(Log& log, unsigned lines, Clock::duration period)
        : log_(log), lines_(lines), period_(period), period_start_(Clock::now()) {}

    bool enabled(LogLevel level) const override { return log_.enabled(level); }
    void write(LogLevel level, std::string_view message) override;

 private:
    Log& log_;
    const unsigned lines_;
    const Clock::duration period_;
    std::mutex mutex_;
    Clock::time_point period_start_;
    unsigned written_ = 0;
    unsigned left_out_ = 0;
};

}  // namespace virtgpu::wire
