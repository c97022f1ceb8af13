#include "device/apir/renderer.h"

#include <algorithm>

#include "device/limits.h"

namespace virtgpu::apir {

Renderer::Renderer(WorkerLauncher& launcher, const RendererOptions& options, EventLoop& loop,
                   wire::Log& log)
    : launcher_(launcher), options_(options), loop_(loop), log_(log) {}

Result<WorkerGroup*> Renderer::group_for_new_context() {
    if (!options_.worker_per_context && !groups_.empty())
        return &groups_.front();
    forget_ended_groups();
    // Contexts that are gone may still compute; a guest must not collect their processes.
    if (groups_.size() >= 2 * options_.limits.contexts)
        return fail(Fault::kRefused, "{} workers have not ended yet", groups_.size());
    WorkerGroup& group =
        groups_.emplace_back(launcher_, options_.limits, options_.waiter, rings_open_, loop_, log_);
    group.services().room = room_;
    return &group;
}

void Renderer::forget_ended_groups() {
    groups_.remove_if([this](const WorkerGroup& group) {
        const bool used = std::any_of(contexts_.begin(), contexts_.end(), [&](const auto& member) {
            return &member.second.group == &group;
        });
        return !used && group.worker_ended();
    });
}

Result<Context*> Renderer::create_context(uint32_t id, std::string name, int32_t first_type) {
    if (contexts_.size() >= options_.limits.contexts)
        return fail(Fault::kRefused, "all {} contexts are in use", options_.limits.contexts);
    if (contexts_.contains(id))
        return fail(Fault::kRefused, "context {} exists", id);
    WorkerGroup* const group = TRY(group_for_new_context());
    const auto [place, added] =
        contexts_.try_emplace(id, *group, id, next_worker_number_, std::move(name), first_type);
    ++next_worker_number_;
    return &place->second.context;
}

bool Renderer::destroy_context(uint32_t id) {
    const auto found = contexts_.find(id);
    if (found == contexts_.end())
        return false;
    WorkerGroup& group = found->second.group;
    contexts_.erase(found);
    if (options_.worker_per_context)
        group.drain();
    return true;
}

void Renderer::destroy_all_contexts() {
    while (!contexts_.empty())
        destroy_context(contexts_.begin()->first);
}

void Renderer::wake_waiters() {
    for (auto& [id, member] : contexts_)
        member.context.wake_waiters();
}

Context* Renderer::find(uint32_t id) {
    const auto found = contexts_.find(id);
    return found == contexts_.end() ? nullptr : &found->second.context;
}

void Renderer::pause_workers() {
    for (WorkerGroup& group : groups_)
        group.pause();
}

void Renderer::resume_workers() {
    for (WorkerGroup& group : groups_)
        group.resume();
}

void Renderer::take_back_guest_memory() {
    for (WorkerGroup& group : groups_)
        group.take_back_guest_memory();
}

void Renderer::log_counters() {
    for (WorkerGroup& group : groups_)
        group.log_counters();
}

void Renderer::drain() {
    for (WorkerGroup& group : groups_)
        group.drain();
}

bool Renderer::workers_ended() const {
    return std::all_of(groups_.begin(), groups_.end(),
                       [](const WorkerGroup& group) { return group.worker_ended(); });
}

}  // namespace virtgpu::apir
