// A guest process as the device process sees it: level 1 commands, regions and rings.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/apir/ring.h"
#include "device/apir/worker_supply.h"
#include "device/limits.h"
#include "device/region_memory.h"

namespace virtgpu::apir {

// What all contexts of a tenant share. Outlives them.
struct ContextServices {
    WorkerSupply& worker;
    EventLoop& loop;
    wire::Log& log;
    const device::TenantLimits& limits;
    Waiter waiter;
    size_t& rings_open;
    // Bytes of the largest region that can still be made.
    std::function<uint64_t()> room;
};

// The time line of a command's fence.
enum class FenceLine {
    kOwn,     // the ring's
    kShared,  // of all processes in the guest: only waiting for a ring may take time there
};

class Context {
 public:
    // `id` names the context towards the guest and in the log, `worker_number` towards the worker;
    // the latter is never used again, so that late messages reach nobody else. Command types are
    // counted from `first_type`.
    Context(uint32_t id, uint32_t worker_number, std::string name, int32_t first_type,
            ContextServices& services);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    uint32_t id() const { return id_; }
    uint32_t worker_number() const { return worker_number_; }
    protocol::ContextState state() const { return state_; }

    void attach(uint32_t region, device::AnyMemory memory);
    void detach(uint32_t region);

    // Carries out one level 1 command. `done` (may be empty) is called once, when the command is
    // complete: for DOORBELL with `wait` when the ring is signaled next. Errors go to the log and
    // to the guest.
    void submit(std::span<const std::byte> command, Done done, FenceLine line = FenceLine::kOwn);
    // Whoever waits for a ring of this context is woken for nothing.
    void wake_waiters();
    // Nothing unless the ring is open.
    Ring* open_ring(uint32_t number);

    void on_opened(protocol::OpenStatus status);
    void on_ring_opened(uint32_t number, protocol::OpenStatus status);
    void on_forwarded(uint32_t serial);
    // The worker is gone, or it closed this context. Wakes all who wait.
    void on_lost();
    void on_failed(const std::string& reason);

 private:
    struct Call {
        uint32_t reply_region = 0;
        Done done;
    };
    // One of upstream's level 1 commands, with the worker.
    struct Forward {
        uint32_t command = 0;
        Call call;
    };
    enum class Phase { kNew, kOpening, kOpen };
    enum class RingPhase { kOpening, kClosing, kOpen };  // closing: its opening is still unanswered
    struct RingSlot {
        std::unique_ptr<Ring> ring;
        RingPhase phase = RingPhase::kOpening;
        Call opening;
    };

    void execute(const protocol::ApirHandshakeRequest& request, Call call);
    void execute(const wire::ApirLoadlibraryRequest& request, Call call);
    void execute(const protocol::ApirOpenRingRequest& request, Call call);
    void execute(const protocol::ApirCloseRingRequest& request, Call call);
    void execute(const protocol::ApirDoorbellRequest& request, Call call);
    void execute(const wire::ApirPingRequest& request, Call call);

    void forward(uint32_t command, std::span<const std::byte> arguments, Call call);
    // Answers it as well as can be done without the worker.
    void fail_forward(const Forward& forward);

    bool alive() const { return state_ == protocol::ContextState::kAlive; }
    bool may_open(const protocol::ApirOpenRingRequest& request) const;
    void close_ring(uint32_t number);
    void tell_worker_to_close();
    void announce(uint32_t region, const device::AnyMemory& memory);
    void finish(const Call& call, uint32_t code, std::span<const std::byte> payload = {});
    template <typename Reply>
    void finish_forward(const Call& call, const Reply& reply);
    void finish_open_ring(const Call& call, protocol::OpenStatus status);
    void end(protocol::ContextState state);

    uint32_t id_;
    uint32_t worker_number_;
    std::string name_;
    int32_t first_type_;
    ContextServices& services_;
    protocol::ContextState state_ = protocol::ContextState::kAlive;
    Phase phase_ = Phase::kNew;
    std::vector<Call> loads_;  // LOADLIBRARY commands that wait for the worker
    std::map<uint32_t, device::AnyMemory> regions_;
    std::map<uint32_t, RingSlot> rings_;
    std::map<uint32_t, Forward> forwards_;
    uint32_t next_forward_ = 0;
};

}  // namespace virtgpu::apir
