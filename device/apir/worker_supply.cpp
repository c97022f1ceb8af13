#include "device/apir/worker_supply.h"

#include <algorithm>

namespace virtgpu::apir {

Result<void> WorkerSupply::ensure_started() {
    if (draining_)
        return fail(Fault::kRefused, "the host program is ending");
    if (link_)
        link_->notice_end();  // may have called lost()
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

void WorkerSupply::drain() {
    draining_ = true;
    if (link_)
        link_->drain();
}

bool WorkerSupply::ended() const {
    return !link_ && std::all_of(ending_.begin(), ending_.end(),
                                 [](const auto& link) { return link->ended(); });
}

}  // namespace virtgpu::apir
