#include "device/event_loop.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

namespace virtgpu::device {

namespace {

uint32_t epoll_events(Interest interest) {
    return interest == Interest::kReadable ? EPOLLIN : EPOLLIN | EPOLLOUT;
}

}  // namespace

Watch& Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        id_ = std::exchange(other.id_, 0);
    }
    return *this;
}

void Watch::set_interest(Interest interest) {
    if (loop_ != nullptr)
        loop_->set_interest(id_, interest);
}

void Watch::reset() {
    if (loop_ != nullptr)
        loop_->remove(id_);
    loop_ = nullptr;
}

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    wire::FileDescriptor poller(::epoll_create1(EPOLL_CLOEXEC));
    if (!poller)
        return wire::system_failure(errno, "creating an event loop");
    return std::unique_ptr<EventLoop>(new EventLoop(std::move(poller)));
}

Result<Watch> EventLoop::watch(int descriptor, Interest interest, Callback callback) {
    const uint64_t id = next_id_++;
    epoll_event event{};
    event.events = epoll_events(interest);
    event.data.u64 = id;
    if (::epoll_ctl(poller_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        return wire::system_failure(errno, wire::format("watching descriptor {}", descriptor));
    entries_.emplace(id, std::make_shared<Entry>(Entry{descriptor, std::move(callback)}));
    return Watch(*this, id);
}

void EventLoop::set_interest(uint64_t id, Interest interest) {
    epoll_event event{};
    event.events = epoll_events(interest);
    event.data.u64 = id;
    ::epoll_ctl(poller_.number(), EPOLL_CTL_MOD, entries_.at(id)->descriptor, &event);
}

void EventLoop::remove(uint64_t id) {
    const auto found = entries_.find(id);
    if (found == entries_.end())
        return;
    ::epoll_ctl(poller_.number(), EPOLL_CTL_DEL, found->second->descriptor, nullptr);
    entries_.erase(found);
}

Result<void> EventLoop::run() {
    while (!stopped_)
        TRY(run_once(std::chrono::milliseconds(-1)));
    return {};
}

Result<void> EventLoop::run_once(std::chrono::milliseconds timeout) {
    constexpr int kEventsAtOnce = 32;
    std::array<epoll_event, kEventsAtOnce> events{};
    const int count = ::epoll_wait(poller_.number(), events.data(), kEventsAtOnce,
                                   static_cast<int>(timeout.count()));
    if (count < 0 && errno != EINTR)
        return wire::system_failure(errno, "waiting for events");
    for (int i = 0; i < count; ++i) {
        // A copy: the kernel's structure is packed, and what is in it misaligned.
        const uint64_t number = events.at(static_cast<size_t>(i)).data.u64;
        const auto found = entries_.find(number);
        if (found == entries_.end())
            continue;
        // The callback may end its own watch, and must not be destroyed by that while it runs.
        const std::shared_ptr<Entry> entry = found->second;
        entry->callback();
    }
    return {};
}

}  // namespace virtgpu::device
