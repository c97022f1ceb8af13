#include "backend/watchdog.h"

#include <algorithm>
#include <utility>

namespace virtgpu::backend {

namespace {

constexpr std::chrono::milliseconds kLongestPause(1000);

}  // namespace

Watchdog::Watchdog(std::chrono::milliseconds limit, std::chrono::milliseconds grace, Hung hung)
    : limit_(limit), grace_(grace), hung_(std::move(hung)) {
    if (limit_.count() > 0)
        thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void Watchdog::watch() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (running_.empty() && !std::exchange(any_since_last_look_, false)) {
            asleep_ = true;
            changed_.wait(lock, [this] { return ending_ || !asleep_; });
            continue;
        }
        changed_.wait_for(lock, std::min(kLongestPause, grace_), [this] { return ending_; });
        if (!ending_ && look(Clock::now()))
            return;
    }
}

// With the lock: hung() ends the process.
bool Watchdog::look(Clock::time_point now) {
    for (const Timed* const graphs : running_) {
        if (now - graphs->start_ < graphs->limit_ + grace_)
            continue;
        hung_(graphs->context_);
        return true;
    }
    return false;
}

Watchdog::Timed::Timed(Watchdog* watchdog, uint32_t context, uint32_t graphs)
    : watchdog_(watchdog != nullptr && watchdog->limit_.count() > 0 ? watchdog : nullptr),
      context_(context) {
    if (watchdog_ == nullptr)
        return;
    limit_ = watchdog_->limit_ * graphs;
    start_ = Clock::now();
    const std::lock_guard lock(watchdog_->mutex_);
    place_ = watchdog_->running_.insert(watchdog_->running_.end(), this);
    watchdog_->any_since_last_look_ = true;
    if (std::exchange(watchdog_->asleep_, false))
        watchdog_->changed_.notify_all();
}

Watchdog::Timed::~Timed() {
    if (watchdog_ == nullptr)
        return;
    const std::lock_guard lock(watchdog_->mutex_);
    watchdog_->running_.erase(place_);
}

bool Watchdog::Timed::expired() const {
    return watchdog_ != nullptr && Clock::now() - start_ >= limit_;
}

}  // namespace virtgpu::backend
