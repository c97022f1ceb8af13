#include "device/timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace virtgpu::device {

using wire::Result;

Result<Timer> Timer::create() {
    wire::FileDescriptor file(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!file)
        return wire::system_failure(errno, "creating a timer");
    return Timer(std::move(file));
}

void Timer::set(std::chrono::milliseconds delay) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(delay);
    itimerspec time{};
    time.it_value.tv_sec = seconds.count();
    time.it_value.tv_nsec = std::chrono::nanoseconds(delay - seconds).count();
    ::timerfd_settime(file_.number(), 0, &time, nullptr);
}

bool Timer::take() const {
    uint64_t expirations = 0;
    return ::read(file_.number(), &expirations, sizeof expirations) == sizeof expirations;
}

}  // namespace virtgpu::device
