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
    // Nothing when there is none; valid until it is destroyed.
    Context* find(uint32_t id);

    // How many bytes the largest region has that the tenant can still make.
    void set_room(std::function<uint64_t()> room) { services_.room = std::move(room); }

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
