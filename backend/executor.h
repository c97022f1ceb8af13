// Serves one ring with a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "backend/commands.h"
#include "backend/ring_signals.h"
#include "wire/host_ring.h"

namespace virtgpu::backend {

enum class Stop {
    kNever,
    kWhenEmpty,  // after what the ring holds
    kNow,        // after the present request
};

// Called once per context, from the executor's thread, when the guest broke the protocol.
using ContextFailed = std::function<void(uint32_t context, const std::string& reason)>;

class Executor {
 public:
    // Fault::kSystem when the system has no thread for it.
    static Result<std::unique_ptr<Executor>> start(wire::HostRing ring, uint32_t number,
                                                   int threads,
                                                   std::unique_ptr<RingSignals> signals,
                                                   std::shared_ptr<Session> session,
                                                   ContextFailed failed);
    // Stops now and waits for the thread, that is for the present graph.
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // From any thread; returns at once.
    void stop(Stop when);
    // Waits until the thread ended. For the owner alone.
    void join();
    // The thread serves nothing any more; destroying the executor does not wait.
    bool finished() const { return finished_; }

 private:
    Executor(wire::HostRing ring, uint32_t number, int threads,
             std::unique_ptr<RingSignals> signals, std::shared_ptr<Session> session,
             ContextFailed failed);

    void run();
    void serve_all();
    // False when the context failed.
    bool serve(const wire::Request& request);
    bool wait_after(const wire::Request& request);
    Result<void> answer(const wire::Request& request, const Result<void>& outcome);
    void break_off(uint64_t sequence, const std::string& reason);
    void complete(uint64_t sequence);
    bool must_stop() const { return stop_ == Stop::kNow || session_->failed(); }

    wire::HostRing ring_;
    const uint32_t number_;
    std::unique_ptr<RingSignals> signals_;
    std::shared_ptr<Session> session_;
    ContextFailed failed_;
    Commands commands_;
    wire::Writer payload_;
    uint64_t sequence_ = 0;  // of the last request served
    std::atomic<Stop> stop_{Stop::kNever};
    std::atomic<bool> finished_{false};
    std::thread thread_;
};

}  // namespace virtgpu::backend
