#include "device/apir/worker_group.h"

namespace virtgpu::apir {

namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace

WorkerGroup::WorkerGroup(WorkerLauncher& launcher, const device::TenantLimits& limits,
                         Waiter waiter, size_t& rings_open, EventLoop& loop, wire::Log& log)
    : log_(log),
      worker_(launcher, loop, log, *this),
      services_{worker_, loop, log, limits, waiter, rings_open, [] { return UINT64_MAX; }} {}

Context* WorkerGroup::find(uint32_t worker_number) const {
    const auto found = contexts_.find(worker_number);
    return found == contexts_.end() ? nullptr : found->second;
}

void WorkerGroup::on_worker_message(const wire::WorkerRequest& message) {
    std::visit(Overloaded{[this](const protocol::WorkerContextOpenedRequest& opened) {
                              if (Context* context = find(opened.context))
                                  context->on_opened(opened.status);
                          },
                          [this](const protocol::WorkerRingOpenedRequest& opened) {
                              if (Context* context = find(opened.context))
                                  context->on_ring_opened(opened.ring, opened.status);
                          },
                          [this](const protocol::WorkerForwardedRequest& forwarded) {
                              if (Context* context = find(forwarded.context))
                                  context->on_forwarded(forwarded.serial);
                          },
                          [this](const protocol::WorkerContextFailedRequest& failed) {
                              if (Context* context = find(failed.context))
                                  context->on_failed(failed.reason);
                          },
                          [this](const auto&) {
                              log_.warning("the worker sent a message that is not a worker's");
                          }},
               message);
}

void WorkerGroup::on_worker_lost() {
    size_t lost = 0;
    for (const auto& [number, context] : contexts_) {
        const auto before = context->state();
        context->on_lost();
        if (context->state() != before)
            ++lost;
    }
    if (lost != 0)
        log_.error("the worker is gone, and {} contexts with it", lost);
}

}  // namespace virtgpu::apir
