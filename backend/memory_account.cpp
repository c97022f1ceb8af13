#include "backend/memory_account.h"

#include <utility>

namespace virtgpu::backend {

wire::Result<void> MemoryAccount::take(uint64_t bytes) {
    if (auto taken = take_below(limit_, bytes))
        return taken;
    std::vector<std::weak_ptr<SpareMemory>> owners;
    {
        const std::lock_guard lock(spare_mutex_);
        owners = std::exchange(spare_, {});
    }
    for (const auto& weak : owners)
        if (const auto owner = weak.lock())
            owner->give_up();
    return take_below(limit_, bytes);
}

void MemoryAccount::add_spare(std::weak_ptr<SpareMemory> owner) {
    const std::lock_guard lock(spare_mutex_);
    std::erase_if(spare_, [](const auto& weak) { return weak.expired(); });
    spare_.push_back(std::move(owner));
}

wire::Result<void> MemoryAccount::take_below(uint64_t limit, uint64_t bytes) {
    uint64_t held = held_.load();
    do {
        if (held > limit || bytes > limit - held)
            return wire::fail(wire::Fault::kRefused,
                              "{} bytes more than the {} held pass the limit of {}", bytes, held,
                              limit);
    } while (!held_.compare_exchange_weak(held, held + bytes));
    return {};
}

}  // namespace virtgpu::backend
