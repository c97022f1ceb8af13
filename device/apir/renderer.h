// All contexts of a tenant and their compute workers. Knows nothing of virtio.
#pragma once

#include <list>
#include <map>

#include "device/apir/worker_group.h"

namespace virtgpu::apir {

struct RendererOptions {
    Waiter waiter = Waiter::kFence;
    device::TenantLimits limits{};
    bool worker_per_context = false;
};

class Renderer {
 public:
    // All references must outlive the renderer.
    Renderer(WorkerLauncher& launcher, const RendererOptions& options, EventLoop& loop,
             wire::Log& log);

    const device::TenantLimits& limits() const { return options_.limits; }

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

    // How many bytes the largest region has that the tenant can still make.
    void set_room(std::function<uint64_t()> room) { room_ = std::move(room); }

    // Until resume_workers() the workers leave the guest's memory alone.
    void pause_workers();
    void resume_workers();
    // After this nobody has memory of the guest's. That costs workers that still had some their
    // lives.
    void take_back_guest_memory();
    // Asks the workers to say in the log what their contexts did so far.
    void log_counters();
    // Asks the workers to finish what they have, and starts no others.
    void drain();
    bool workers_ended() const;

 private:
    struct Member {
        Member(WorkerGroup& its_group, uint32_t id, uint32_t worker_number, std::string name,
               int32_t first_type)
            : group(its_group),
              context(id, worker_number, std::move(name), first_type, group.services()) {
            group.add(context);
        }
        ~Member() { group.remove(context); }
        Member(const Member&) = delete;
        Member& operator=(const Member&) = delete;

        WorkerGroup& group;
        Context context;
    };

    Result<WorkerGroup*> group_for_new_context();
    void forget_ended_groups();

    WorkerLauncher& launcher_;
    const RendererOptions options_;
    EventLoop& loop_;
    wire::Log& log_;
    std::function<uint64_t()> room_ = [] { return UINT64_MAX; };
    size_t rings_open_ = 0;
    uint32_t next_worker_number_ = 1;
    // One for all contexts, or one for each that there is and for each that ends.
    std::list<WorkerGroup> groups_;
    std::map<uint32_t, Member> contexts_;
};

}  // namespace virtgpu::apir
