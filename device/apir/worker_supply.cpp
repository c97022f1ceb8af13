#include "device/apir/worker_supply.h"

namespace virtgpu::apir {

Result<void> WorkerSupply::ensure_started() {
    if (link_)
        return {};
    std::erase_if(ending_, [](const auto& link) { return link->ended(); });
    link_ = TRY(WorkerLink::start(
        options_, loop_, log_,
        [this](const wire::WorkerRequest& message) { listener_.on_worker_message(message); },
        [this] { lost(); }));
    return {};
}

void WorkerSupply::lost() {
    // Kept, because this is called from inside the link.
    ending_.push_back(std::move(link_));
    listener_.on_worker_lost();
}

void WorkerSupply::drain(std::chrono::milliseconds timeout) {
    if (link_)
        link_->drain(timeout);
}

}  // namespace virtgpu::apir
