// Contexts that share a worker, and with it their fate.
#pragma once

#include <map>
#include <vector>

#include "device/apir/context.h"

namespace virtgpu::apir {

class WorkerGroup : private WorkerListener {
 public:
    // All references must outlive the group; `rings_open` is the tenant's count.
    WorkerGroup(WorkerLauncher& launcher, const device::TenantLimits& limits, Waiter waiter,
                size_t& rings_open, EventLoop& loop, wire::Log& log);

    // What its contexts need. They are added while they live.
    ContextServices& services() { return services_; }
    void add(Context& context) { contexts_.emplace(context.worker_number(), &context); }
    void remove(const Context& context) { contexts_.erase(context.worker_number()); }

    // What Renderer says of all groups.
    void pause() { worker_.pause(); }
    void resume() { worker_.resume(); }
    void take_back_guest_memory() { worker_.take_back_guest_memory(); }
    void log_counters() { worker_.log_counters(); }
    // Asks the worker to finish what it has, and starts no other.
    void drain() { worker_.drain(); }
    bool worker_ended() const { return worker_.ended(); }

 private:
    void on_worker_message(const wire::WorkerRequest& message) override;
    void on_worker_lost() override;
    // Only of this group: a worker has no say in what others have.
    Context* find(uint32_t worker_number) const;

    wire::Log& log_;
    WorkerSupply worker_;
    ContextServices services_;
    std::map<uint32_t, Context*> contexts_;  // by worker number
};

}  // namespace virtgpu::apir
