#include "wire/limited_log.h"

namespace virtgpu::wire {

void LimitedLog::write(LogLevel level, std::string_view message) {
    if (log_.enabled(LogLevel::kDebug))
        return log_.write(level, message);
    const std::lock_guard lock(mutex_);
    if (Clock::now() - period_start_ >= period_) {
        if (left_out_ != 0)
            log_.warning("{} lines were left out", left_out_);
        period_start_ = Clock::now();
        written_ = left_out_ = 0;
    }
    if (written_ == lines_) {
        if (++left_out_ == 1)
            log_.write(LogLevel::kWarning, "too many lines; the next are left out");
        return;
    }
    ++written_;
    log_.write(level, message);
}

}  // namespace virtgpu::wire
