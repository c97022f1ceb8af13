#include "frontend/ring_wait.h"

#include <algorithm>

#include "wire/relax.h"

namespace virtgpu::frontend {

using protocol::ContextState;
using wire::Fault;
using wire::Result;

namespace {

constexpr std::chrono::milliseconds kSlice(500);
// A wait may end early again and again, because others in the guest share our time line.
constexpr std::chrono::milliseconds kShortestCheckInterval(50);
// How late an application may learn that what it no longer wants goes on.
constexpr std::chrono::milliseconds kAbortSlice(2);

}  // namespace

Result<void> RingWait::wake_host() {
    return ring_.ask_for_doorbell() ? doorbell() : Result<void>();
}

Result<void> RingWait::doorbell() {
    services_.traffic.doorbells.fetch_add(1, std::memory_order_relaxed);
    return services_.transport.doorbell(number_);
}

Result<void> RingWait::begin(uint64_t sequence) {
    ring_.want(sequence);
    services_.traffic.waits.fetch_add(1, std::memory_order_relaxed);
    return wake_host();
}

Result<void> RingWait::until_done(uint64_t sequence) {
    if (settled(sequence))
        return {};
    TRY(begin(sequence));
    const wire::TraceSpan span(services_.trace, "wait", 0, number_, sequence);
    const auto start = Clock::now();
    Looking looking = plan(start);
    while (!settled(sequence) && Clock::now() < looking.until)
        TRY(pass(sequence, looking, kSlice));
    TRY(sleep(sequence));
    last_wait_ = Clock::now() - start;
    return {};
}

Result<void> RingWait::until_answered(uint64_t sequence) {
    services_.traffic.waits.fetch_add(1, std::memory_order_relaxed);
    TRY(wake_host());
    const wire::TraceSpan span(services_.trace, "ask", 0, number_, sequence);
    const std::chrono::microseconds polling(services_.polling_microseconds.load());
    return poll(sequence, polling) ? Result<void>() : sleep(sequence);
}

Result<bool> RingWait::until_done_unless(uint64_t sequence, std::unique_lock<std::mutex>& lock,
                                         const std::function<bool()>& unwanted) {
    if (settled(sequence))
        return true;
    TRY(begin(sequence));
    const wire::TraceSpan span(services_.trace, "wait", 0, number_, sequence);
    const auto start = Clock::now();
    Looking looking = plan(start);
    auto next_check = start + kSlice;
    while (!settled(sequence)) {
        // The application may take locks of its own, under which others wait for this one.
        lock.unlock();
        const bool given_up = unwanted();
        lock.lock();
        if (given_up)
            return false;
        TRY(pass(sequence, looking, kAbortSlice));
        if (settled(sequence) || Clock::now() < next_check)
            continue;
        TRY(check_host(sequence));
        next_check = Clock::now() + kSlice;
    }
    last_wait_ = Clock::now() - start;
    return true;
}

// At the end of the time that the last wait took, because polling takes from the processor's other
// thread, where the host may compute, and because waking up late costs more than polling.
RingWait::Looking RingWait::plan(Clock::time_point start) const {
    const std::chrono::microseconds longest(services_.polling_microseconds.load());
    Clock::duration before{};
    if (longest.count() != 0 && last_wait_ > longest)
        before = last_wait_ - std::min<Clock::duration>(last_wait_ / 10, longest / 4) - longest / 2;
    before = std::min<Clock::duration>(before, kSlice);
    return {start + before, start + before + longest};
}

// A part of a wait.
Result<void> RingWait::pass(uint64_t sequence, Looking& looking, Clock::duration longest) {
    const auto now = Clock::now();
    if (now >= looking.until)
        return doze(sequence, longest);
    if (now >= looking.from) {
        poll(sequence, std::min(longest, looking.until - now));
        return {};
    }
    TRY(doze(sequence, std::min(longest, looking.from - now)));
    // Who wakes late looks no shorter for that.
    const auto late = Clock::now() - looking.from;
    if (late > Clock::duration::zero())
        looking = {looking.from + late, looking.until + late};
    return {};
}

Result<void> RingWait::sleep(uint64_t sequence) {
    while (!settled(sequence)) {
        TRY(doze(sequence, kSlice));
        if (!settled(sequence) && Clock::now() - last_check_ >= kShortestCheckInterval)
            TRY(check_host(sequence));
    }
    return {};
}

bool RingWait::poll(uint64_t sequence, Clock::duration longest) const {
    const auto end = Clock::now() + longest;
    wire::Relaxation relaxation;
    while (!settled(sequence)) {
        if (Clock::now() >= end)
            return false;
        relaxation.relax();
    }
    return true;
}

// Sleeps until the host signals that the request is done, or the time has passed.
Result<void> RingWait::doze(uint64_t sequence, Clock::duration longest) {
    if (settled(sequence) || !ring_.prepare_wait(sequence))
        return {};
    if (ring_.ask_for_completion(sequence))
        TRY(doorbell());
    services_.traffic.sleeps.fetch_add(1, std::memory_order_relaxed);
    auto slept = services_.transport.wait(
        number_, std::chrono::duration_cast<std::chrono::microseconds>(longest));
    ring_.end_wait();
    return slept;
}

// The wait ended without an outcome. Returns when there is reason to wait on.
Result<void> RingWait::check_host(uint64_t sequence) {
    last_check_ = Clock::now();
    for (;;) {
        TRY(services_.health.check());
        const auto state = TRY(services_.apir.ping([&] { return settled(sequence); }));
        if (settled(sequence) || state == ContextState::kAlive)
            return {};
        if (state == ContextState::kLost)
            return wire::fail(Fault::kLost,
                              "the host's compute worker died; start this program again, and see "
                              "the log of ggml-virtgpu-host");
        if (state == ContextState::kClosed)
            return wire::fail(Fault::kLost,
                              "the host closed the connection because of a wrong request; the log "
                              "of ggml-virtgpu-host says which");
    }
}

}  // namespace virtgpu::frontend
