// Durations as system calls want them.
#pragma once

#include <chrono>
#include <ctime>

namespace virtgpu::wire {

inline timespec to_timespec(std::chrono::nanoseconds duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {static_cast<time_t>(seconds.count()), static_cast<long>((duration - seconds).count())};
}

}  // namespace virtgpu::wire
