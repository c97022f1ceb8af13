#include "backend/executor.h"

#include <exception>
#include <system_error>

#include "wire/relax.h"

namespace virtgpu::backend {

using Clock = std::chrono::steady_clock;

Executor::Executor(std::shared_ptr<RingServer> server, std::shared_ptr<Session> session,
                   Polling polling)
    : server_(std::move(server)), session_(std::move(session)), polling_(std::move(polling)) {}

Result<std::unique_ptr<Executor>> Executor::start(std::shared_ptr<RingServer> server,
                                                  std::shared_ptr<Session> session,
                                                  Polling polling) {
    std::unique_ptr<Executor> executor(
        new Executor(std::move(server), std::move(session), std::move(polling)));
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
    server_->signals().interrupt();
}

void Executor::join() {
    if (thread_.joinable())
        thread_.join();
}

void Executor::run() {
    try {
        serve();
    } catch (const std::exception& error) {
        // Memory, mostly: a large graph of one context must not take the others with it.
        break_off(error.what());
    }
    server_->progress()->end();
    finished_ = true;
}

void Executor::break_off(const char* reason) noexcept {
    try {
        server_->break_off(reason);
    } catch (const std::exception&) {
        // No memory for the words either.
        session_->fail();
    }
}

void Executor::serve() {
    const StopAsked stop = [this] { return stop_.load(); };
    while (server_->serve_all(stop)) {
        if (stop_ == Stop::kWhenEmpty)
            return;
        if (!poll())
            sleep();
    }
}

// True when there is something to serve. What the guest writes on ring 0 meanwhile will be needed
// before that: the inputs of the next graph.
bool Executor::poll() {
    if (polling_.longest.count() == 0)
        return false;
    const StopAsked stop = [this] { return stop_.load(); };
    auto ring0 = session_->ring(0);
    if (ring0 == server_)
        ring0.reset();
    bool found = false;
    bool tended = false;
    {
        const PollingTurn turn(polling_);
        if (!turn)
            return false;
        auto end = Clock::now() + polling_.longest;
        wire::Relaxation relaxation;
        while (!found && stop_ == Stop::kNever && Clock::now() < end) {
            relaxation.relax();
            found = server_->has_requests();
            if (!found && ring0 && ring0->tend(stop)) {
                tended = true;
                end = Clock::now() + polling_.longest;
            }
        }
    }
    // What is found may take long, or the next turn to poll be another ring's.
    if (tended)
        ring0->finish_tending();
    return found;
}

void Executor::sleep() {
    if (session_->trace() != nullptr)
        session_->trace()->flush();
    if (server_->prepare_sleep()) {
        server_->signals().wait_doorbell();
        ++session_->counters().doorbells;
    }
    server_->end_sleep();
}

}  // namespace virtgpu::backend
