#include "backend/executor.h"

#include <exception>
#include <system_error>

namespace virtgpu::backend {

namespace {

// How often an executor that waits for ring 0 looks whether it has to stop.
constexpr std::chrono::milliseconds kStopCheck(50);

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

}  // namespace

Executor::Executor(wire::HostRing ring, uint32_t number, int threads,
                   std::unique_ptr<RingSignals> signals, std::shared_ptr<Session> session,
                   ContextFailed failed)
    : ring_(std::move(ring)),
      number_(number),
      signals_(std::move(signals)),
      session_(std::move(session)),
      failed_(std::move(failed)),
      commands_(session_, number, threads) {}

Result<std::unique_ptr<Executor>> Executor::start(wire::HostRing ring, uint32_t number, int threads,
                                                  std::unique_ptr<RingSignals> signals,
                                                  std::shared_ptr<Session> session,
                                                  ContextFailed failed) {
    std::unique_ptr<Executor> executor(new Executor(std::move(ring), number, threads,
                                                    std::move(signals), std::move(session),
                                                    std::move(failed)));
    try {
        executor->thread_ = std::thread([running = executor.get()] { running->run(); });
    } catch (const std::system_error& error) {
        return wire::system_failure(error.code().value(), "starting a ring's thread");
    }
    return executor;
}

Executor::~Executor() {
    stop(Stop::kNow);
    join();
}

void Executor::stop(Stop when) {
    Stop current = stop_;
    while (when > current && !stop_.compare_exchange_weak(current, when)) {
    }
    signals_->interrupt();
}

void Executor::join() {
    if (thread_.joinable())
        thread_.join();
}

void Executor::run() {
    try {
        serve_all();
    } catch (const std::exception& error) {
        // Memory, mostly: a large graph of one context must not take the others with it.
        break_off(sequence_ + 1, error.what());
    }
    finished_ = true;
}

void Executor::serve_all() {
    while (!must_stop()) {
        const auto request = ring_.next();
        if (!request)
            return break_off(sequence_ + 1, request.error().message());
        if (*request) {
            if (!serve(**request))
                return;
            sequence_ = (*request)->sequence;
        } else if (stop_ == Stop::kWhenEmpty) {
            return;
        } else {
            if (ring_.prepare_sleep())
                signals_->wait_doorbell();
            ring_.end_sleep();
        }
    }
}

bool Executor::serve(const wire::Request& request) {
    ++session_->counters().requests;
    if (!wait_after(request))
        return false;
    payload_.clear();
    const auto outcome = dispatch(commands_, request.command, request.payload, payload_);
    if (!outcome && outcome.error().fault() == Fault::kPeer) {
        break_off(request.sequence,
                  wire::format("{}: {}", command_name(request.command), outcome.error().message()));
        return false;
    }
    const auto answered = answer(request, outcome);
    if (!answered) {
        break_off(request.sequence, answered.error().message());
        return false;
    }
    complete(request.sequence);
    return true;
}

bool Executor::wait_after(const wire::Request& request) {
    if (number_ == 0 && request.after >= request.sequence) {
        break_off(request.sequence, "a request of ring 0 that comes after itself");
        return false;
    }
    while (!session_->ring0().wait_for(request.after, kStopCheck))
        // Also a ring that is to end when it is empty: what it waits for may never come.
        if (must_stop() || stop_ != Stop::kNever)
            return false;
    return true;
}

Result<void> Executor::answer(const wire::Request& request, const Result<void>& outcome) {
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

void Executor::break_off(uint64_t sequence, const std::string& reason) {
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
}

void Executor::complete(uint64_t sequence) {
    if (number_ == 0)
        session_->ring0().advance(sequence);
    if (ring_.complete(sequence))
        signals_->signal_completion();
}

}  // namespace virtgpu::backend
