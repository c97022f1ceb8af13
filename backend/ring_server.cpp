#include "backend/ring_server.h"

#include <chrono>
#include <thread>

#include "wire/relax.h"

namespace virtgpu::backend {

namespace {

// Twice as long as a wake-up takes.
constexpr std::chrono::microseconds kNap(100);

protocol::Status status_of(Fault fault) {
    switch (fault) {
        case Fault::kPeer:
            return protocol::Status::kMalformed;
        case Fault::kRefused:
            return protocol::Status::kRefused;
        case Fault::kLost:
        case Fault::kSystem:
            break;
    }
    return protocol::Status::kLost;
}

// Whether nothing is answered.
bool is_quiet(const wire::Request& request, const Result<void>& outcome) {
    return outcome && protocol::is_queued(static_cast<protocol::Command>(request.command));
}

}  // namespace

RingServer::RingServer(wire::HostRing ring, uint32_t number, const Manner& manner,
                       std::unique_ptr<RingSignals> signals, std::shared_ptr<Session> session,
                       ContextFailed failed)
    : number_(number),
      polling_(manner.polling),
      signals_(std::move(signals)),
      session_(std::move(session)),
      failed_(std::move(failed)),
      progress_(std::make_shared<Progress>()),
      ring_(std::move(ring)),
      commands_(session_, number, manner.threads) {}

RingServer::~RingServer() {
    progress_->end();
}

bool RingServer::serve_all(const StopAsked& stop) {
    const std::lock_guard lock(mutex_);
    for (;;) {
        if (session_->failed() || stop() == Stop::kNow)
            return false;
        switch (serve_next(stop)) {
            case Served::kOne:
                continue;
            case Served::kNothing:
                return true;
            case Served::kFailed:
                return false;
        }
    }
}

bool RingServer::tend(const StopAsked& stop) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || session_->failed() || stop() == Stop::kNow)
        return false;
    if (ring_.has_requests()) {
        serve_next(stop);
        return true;
    }
    if (completed_ < served_ && ring_.is_wanted(completed_ + 1))
        settle();
    return false;
}

void RingServer::finish_tending() {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock)
        settle();
}

Result<void> RingServer::serve_until(uint64_t sequence, const StopAsked& stop) {
    if (progress_->reached(sequence))
        return {};
    const std::lock_guard lock(mutex_);
    while (served_ < sequence) {
        // Another of the guest's threads may fill the ring for ever.
        if (session_->failed() || stop() == Stop::kNow)
            return wire::fail(Fault::kLost, "the context ends");
        switch (serve_next(stop)) {
            case Served::kOne:
                continue;
            case Served::kNothing:
                return wire::fail(Fault::kPeer, "request {} of ring {} was never sent", sequence,
                                  number_);
            case Served::kFailed:
                return wire::fail(Fault::kLost, "ring {} failed", number_);
        }
    }
    settle();
    return {};
}

RingServer::Served RingServer::serve_next(const StopAsked& stop) {
    auto request = ring_.next();
    if (request && !*request && more_comes(stop))
        request = ring_.next();
    if (!request) {
        fail(served_ + 1, request.error().message());
        return Served::kFailed;
    }
    if (!*request) {
        settle();
        return Served::kNothing;
    }
    served_ = (*request)->sequence;
    return carry_out(**request, stop) ? Served::kOne : Served::kFailed;
}

bool RingServer::carry_out(const wire::Request& request, const StopAsked& stop) {
    ++session_->counters().requests;
    session_->counters().request_bytes += protocol::RequestHeader::kSize + request.payload.size();
    const wire::TraceSpan span(session_->trace(), command_name(request.command),
                               session_->context(), number_, request.sequence);
    payload_.clear();
    auto outcome = wait_after(request, stop);
    if (outcome)
        outcome = commands_.carry_out(request, payload_, stop,
                                      [&] { return ring_.abort_asked(request.sequence); });
    if (!outcome && outcome.error().fault() == Fault::kPeer) {
        fail(request.sequence,
             wire::format("{}: {}", command_name(request.command), outcome.error().message()));
        return false;
    }
    if (const auto answered = answer(request, outcome); !answered) {
        fail(request.sequence, answered.error().message());
        return false;
    }
    // A device that computes in the background is waited for once, after the last request. The
    // guest need not wait for it to read an answer.
    if (!commands_.unfinished())
        complete(request.sequence);
    else if (!is_quiet(request, outcome) && ring_.is_slept_for(request.sequence))
        wake_guest();
    return true;
}

Result<void> RingServer::wait_after(const wire::Request& request, const StopAsked& stop) {
    if (number_ != 0)
        return session_->serve_ring0(request.after, stop);
    if (request.after >= request.sequence)
        return wire::fail(Fault::kPeer, "a request of ring 0 that comes after itself");
    return {};
}

Result<void> RingServer::answer(const wire::Request& request, const Result<void>& outcome) {
    if (is_quiet(request, outcome))
        return {};
    if (outcome)
        return ring_.reply(request.sequence, protocol::Status::kOk, payload_.bytes());
    const wire::Error& error = outcome.error();
    session_->log().debug("context {} ring {}: {}: {}", session_->context(), number_,
                          command_name(request.command), error.message());
    payload_.clear();
    TRY(payload_.string(std::string_view(error.message()).substr(0, protocol::kMaxTextLength),
                        protocol::kMaxTextLength));
    return ring_.reply(request.sequence, status_of(error.fault()), payload_.bytes());
}

// Waiting for a device takes until it is idle, and then it would have to be waited for again after
// what comes meanwhile: the guest asks for a graph's results right behind it. So nobody waits
// before somebody wants to know. Ring 0 is served by others, too, who must not stand in line for
// that. One of all rings polls; the others look now and then, or each would keep a processor busy
// for as long as its device computes.
bool RingServer::more_comes(const StopAsked& stop) const {
    if (number_ == 0 || !commands_.unfinished())
        return false;
    const auto end = std::chrono::steady_clock::now() + polling_.patience;
    const PollingTurn turn(polling_);
    wire::Relaxation relaxation;
    while (!ring_.has_requests()) {
        if (ring_.is_wanted(completed_ + 1) || progress_->is_awaited() || stop() == Stop::kNow ||
            session_->failed() || std::chrono::steady_clock::now() >= end)
            return false;
        if (turn)
            relaxation.relax();
        else
            std::this_thread::sleep_for(kNap);
    }
    return true;
}

// Waits for what the device does in the background and tells the guest.
void RingServer::settle() {
    if (completed_ >= served_)
        return;
    {
        const wire::TraceSpan span(commands_.unfinished() ? session_->trace() : nullptr, "wait",
                                   session_->context(), number_, served_);
        commands_.finish();
    }
    complete(served_);
}

void RingServer::break_off(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    fail(served_ + 1, reason);
}

void RingServer::fail(uint64_t sequence, const std::string& reason) {
    // What runs in the background may still use what the guest takes for free from now on.
    commands_.finish();
    // The guest may be waiting, so it is told; whether it reads that no longer matters.
    payload_.clear();
    const std::string text =
        wire::format("ring {}: {}", number_, reason).substr(0, protocol::kMaxTextLength);
    if (payload_.string(text, protocol::kMaxTextLength) &&
        !ring_.reply(sequence, protocol::Status::kMalformed, payload_.bytes()))
        session_->log().debug("context {}: no room to say why it failed", session_->context());
    if (session_->fail())
        failed_(session_->context(), text);
    complete(sequence);
    // The guest may wait for a later request, which is never done.
    signals_->signal_completion();
}

void RingServer::complete(uint64_t sequence) {
    completed_ = sequence;
    progress_->advance(sequence);
    if (ring_.complete(sequence))
        wake_guest();
}

void RingServer::wake_guest() {
    ++session_->counters().wakeups;
    signals_->signal_completion();
}

bool RingServer::prepare_sleep() {
    const std::lock_guard lock(mutex_);
    settle();
    return ring_.prepare_sleep();
}

void RingServer::end_sleep() {
    const std::lock_guard lock(mutex_);
    ring_.end_sleep();
}

bool RingServer::has_requests() {
    // Somebody else serves them where the lock is taken.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    return lock && ring_.has_requests();
}

}  // namespace virtgpu::backend
