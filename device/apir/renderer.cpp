#include "device/apir/renderer.h"

#include "device/limits.h"

namespace virtgpu::apir {

namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace

Renderer::Renderer(const WorkerOptions& options, Waiter waiter, EventLoop& loop, wire::Log& log)
    : log_(log), worker_(options, loop, log, *this), services_{worker_, loop, log, waiter} {}

Result<Context*> Renderer::create_context(uint32_t id, std::string name, int32_t first_type) {
    if (contexts_.size() == device::kMaxContexts)
        return fail(Fault::kRefused, "all {} contexts are in use", device::kMaxContexts);
    const auto [place, added] =
        contexts_.try_emplace(id, id, next_worker_number_, std::move(name), first_type, services_);
    if (!added)
        return fail(Fault::kRefused, "context {} exists", id);
    ++next_worker_number_;
    return &place->second;
}

bool Renderer::destroy_context(uint32_t id) {
    return contexts_.erase(id) > 0;
}

void Renderer::destroy_all_contexts() {
    contexts_.clear();
}

void Renderer::wake_waiters() {
    for (auto& [id, context] : contexts_)
        context.wake_waiters();
}

Context* Renderer::find(uint32_t id) {
    const auto found = contexts_.find(id);
    return found == contexts_.end() ? nullptr : &found->second;
}

Context* Renderer::by_worker_number(uint32_t number) {
    for (auto& [id, context] : contexts_)
        if (context.worker_number() == number)
            return &context;
    return nullptr;
}

void Renderer::on_worker_message(const wire::WorkerRequest& message) {
    std::visit(Overloaded{[this](const protocol::WorkerContextOpenedRequest& opened) {
                              if (Context* context = by_worker_number(opened.context))
                                  context->on_opened(opened.status);
                          },
                          [this](const protocol::WorkerRingOpenedRequest& opened) {
                              if (Context* context = by_worker_number(opened.context))
                                  context->on_ring_opened(opened.ring, opened.status);
                          },
                          [this](const protocol::WorkerContextFailedRequest& failed) {
                              if (Context* context = by_worker_number(failed.context))
                                  context->on_failed(failed.reason);
                          },
                          [this](const auto&) {
                              log_.warning("the worker sent a message that is not a worker's");
                          }},
               message);
}

void Renderer::on_worker_lost() {
    size_t lost = 0;
    for (auto& [id, context] : contexts_) {
        const auto before = context.state();
        context.on_lost();
        if (context.state() != before)
            ++lost;
    }
    if (lost != 0)
        log_.error("the worker is gone, and {} contexts with it", lost);
}

}  // namespace virtgpu::apir
