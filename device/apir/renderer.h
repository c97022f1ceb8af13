// All contexts of a tenant and their compute worker. Knows nothing of virtio.
#pragma once

#include <map>

#include "device/apir/context.h"

namespace virtgpu::apir {

class Renderer : private WorkerListener {
 public:
    // All references must outlive the renderer.
    Renderer(const WorkerOptions& options, Waiter waiter, EventLoop& loop, wire::Log& log);

    // `first_type` is what the context's guest counts its command types from. Fault::kRefused when
    // the number is taken or the tenant has too many.
    Result<Context*> create_context(uint32_t id, std::string name, int32_t first_type = 0);
    // Completes what waits for it. False when there is none.
    bool destroy_context(uint32_t id);
    void destroy_all_contexts();
    // Whoever waits for a ring is woken for nothing.
    void wake_waiters();
    // Nothing when there is none; valid until it is destroyed.
    Context* find(uint32_t id);

    // Until resume_worker() the worker leaves the guest's memory alone.
    void pause_worker() { worker_.pause(); }
    void resume_worker() { worker_.resume(); }
    // After this nobody has memory of the guest's. That costs a worker that still had some its
    // life.
    void take_back_guest_memory() { worker_.take_back_guest_memory(); }
    // Asks the worker to say in the log what its contexts did so far.
    void log_counters() { worker_.log_counters(); }
    // Asks the worker to finish what it has, and starts no other.
    void drain() { worker_.drain(); }
    bool worker_ended() const { return worker_.ended(); }

 private:
    void on_worker_message(const wire::WorkerRequest& message) override;
    void on_worker_lost() override;
    Context* by_worker_number(uint32_t number);

    wire::Log& log_;
    WorkerSupply worker_;
    ContextServices services_;
    uint32_t next_worker_number_ = 1;
    std::map<uint32_t, Context> contexts_;
};

}  // namespace virtgpu::apir
