#include "device/apir/ring.h"

#include <utility>

#include "device/limits.h"

namespace virtgpu::apir {

using device::EventFile;
using wire::Result;

Result<std::unique_ptr<Ring>> Ring::create(Waiter waiter, device::EventLoop& loop) {
    auto doorbell = TRY(EventFile::create());
    auto completion = TRY(EventFile::create());
    std::unique_ptr<Ring> ring(new Ring(std::move(doorbell), std::move(completion)));
    if (waiter == Waiter::kFence)
        ring->watch_ = TRY(loop.watch(ring->completion_.number(), device::Interest::kReadable,
                                      [self = ring.get()] { self->signaled(); }));
    return ring;
}

void Ring::ring_doorbell() const {
    if (!handed_out_)
        doorbell_.signal();
}

void Ring::wait(Done done) {
    if (abandoned_ || std::exchange(signaled_, false))
        return done();
    if (waiters_.size() == device::kMaxWaitersOfRing) {
        const Done oldest = std::move(waiters_.front());
        waiters_.pop_front();
        oldest();
    }
    waiters_.push_back(std::move(done));
}

void Ring::signaled() {
    if (!completion_.take())
        return;
    signaled_ = waiters_.empty();
    wake_waiters();
}

void Ring::wake_waiters() {
    for (const Done& done : std::exchange(waiters_, {}))
        done();
}

void Ring::abandon() {
    abandoned_ = true;
    watch_.reset();
    if (!handed_out_)
        completion_.signal();
    wake_waiters();
}

}  // namespace virtgpu::apir
