#include "worker/ring_events.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace virtgpu::worker {

namespace {

wire::Result<void> watch(int poll, int file, uint32_t events) {
    epoll_event event{};
    event.events = events;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, file, &event) != 0)
        return wire::system_failure(errno, "watching a ring's eventfd");
    return {};
}

// An eventfd that is full has waked its reader already.
void count_up(int file) {
    pollfd room{file, POLLOUT, 0};
    const uint64_t one = 1;
    if (::poll(&room, 1, 0) != 1)
        return;
    while (::write(file, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

}  // namespace

wire::Result<std::unique_ptr<RingEvents>> RingEvents::create(wire::FileDescriptor doorbell,
                                                             wire::FileDescriptor completion) {
    std::unique_ptr<RingEvents> events(new RingEvents);
    events->doorbell_ = std::move(doorbell);
    events->completion_ = std::move(completion);
    events->interrupted_ = wire::FileDescriptor(::eventfd(0, EFD_CLOEXEC));
    events->poll_ = wire::FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
    if (!events->interrupted_ || !events->poll_)
        return wire::system_failure(errno, "making a ring's events");
    // Edge-triggered: each write wakes once although nobody reads the counter.
    TRY(watch(events->poll_.number(), events->doorbell_.number(), EPOLLIN | EPOLLET));
    TRY(watch(events->poll_.number(), events->interrupted_.number(), EPOLLIN));
    return events;
}

void RingEvents::wait_doorbell() {
    epoll_event event{};
    while (::epoll_wait(poll_.number(), &event, 1, -1) < 0 && errno == EINTR) {
    }
}

void RingEvents::signal_completion() {
    count_up(completion_.number());
}

void RingEvents::interrupt() {
    count_up(interrupted_.number());
}

}  // namespace virtgpu::worker
