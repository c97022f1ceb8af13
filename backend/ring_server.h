// Takes requests from a ring, has them carried out and answers. Without a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "backend/commands.h"
#include "backend/polling.h"
#include "backend/progress.h"
#include "backend/ring_signals.h"
#include "wire/host_ring.h"

namespace virtgpu::backend {

// Called once per context, from whichever thread serves, when the guest broke the protocol.
using ContextFailed = std::function<void(uint32_t context, const std::string& reason)>;

// Thread safe: the thread that needs what a ring holds serves it, be it another ring's. Requests
// are carried out one at a time and in order.
class RingServer {
 public:
    // How many threads a CPU backend computes with, and how more is looked for while a device
    // computes in the background.
    struct Manner {
        int threads = 1;
        Polling polling{};
    };
    RingServer(wire::HostRing ring, uint32_t number, const Manner& manner,
               std::unique_ptr<RingSignals> signals, std::shared_ptr<Session> session,
               ContextFailed failed);
    ~RingServer();
    RingServer(const RingServer&) = delete;
    RingServer& operator=(const RingServer&) = delete;

    // Serves what the ring holds. False when the context has failed or it must stop now.
    bool serve_all(const StopAsked& stop);
    // Serves one request and leaves a device to it, unless the guest waits and nothing else comes;
    // does nothing where somebody else serves. True when the ring held something. Who tended says
    // in the end that all is done: nobody else may.
    bool tend(const StopAsked& stop);
    // Waits for devices and tells the guest, unless somebody else serves, who then does.
    void finish_tending();
    // Serves until `sequence` is done. Fault::kPeer when the ring does not hold it, kLost when the
    // context fails or must stop.
    Result<void> serve_until(uint64_t sequence, const StopAsked& stop);
    // Ends the context: the guest broke the protocol, or there is no memory for what it wants.
    void break_off(const std::string& reason);

    // True when the guest has been told that it must ring the doorbell, and the ring is still
    // empty. Waits for devices before that: what others tended is done when this sleeps.
    bool prepare_sleep();
    void end_sleep();
    bool has_requests();

    RingSignals& signals() { return *signals_; }
    const std::shared_ptr<Progress>& progress() const { return progress_; }

 private:
    enum class Served { kNothing, kOne, kFailed };

    Served serve_next(const StopAsked& stop);
    bool carry_out(const wire::Request& request, const StopAsked& stop);
    Result<void> wait_after(const wire::Request& request, const StopAsked& stop);
    Result<void> answer(const wire::Request& request, const Result<void>& outcome);
    bool more_comes(const StopAsked& stop) const;
    void settle();
    void fail(uint64_t sequence, const std::string& reason);
    void complete(uint64_t sequence);
    void wake_guest();

    const uint32_t number_;
    const Polling polling_;
    const std::unique_ptr<RingSignals> signals_;
    const std::shared_ptr<Session> session_;
    const ContextFailed failed_;
    const std::shared_ptr<Progress> progress_;
    std::mutex mutex_;
    wire::HostRing ring_;
    Commands commands_;
    wire::Writer payload_;
    uint64_t served_ = 0;     // sequence number of the last request taken
    uint64_t completed_ = 0;  // and of the last that the guest was told of
};

}  // namespace virtgpu::backend
