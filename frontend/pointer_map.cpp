#include "frontend/pointer_map.h"

#include <utility>

namespace virtgpu::frontend {

void PointerMap::clear() {
    used_ = 0;
    if (++epoch_ == 0) {
        slots_.assign(slots_.size(), Slot{});
        epoch_ = 1;
    }
}

// The key's slot, or the free slot where it belongs. The table is never full.
size_t PointerMap::slot_of(const void* key) const {
    const size_t mask = slots_.size() - 1;
    // Tensors lie hundreds of bytes apart: a multiplication spreads them (2^64 / golden ratio).
    const uint64_t hash = reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15ULL;
    size_t slot = (hash >> 32) & mask;
    while (slots_[slot].epoch == epoch_ && slots_[slot].key != key)
        slot = (slot + 1) & mask;
    return slot;
}

uint32_t PointerMap::find(const void* key) const {
    const Slot& slot = slots_[slot_of(key)];
    return slot.epoch == epoch_ ? slot.value : kAbsent;
}

void PointerMap::set(const void* key, uint32_t value) {
    if (2 * (used_ + 1) > slots_.size())
        grow();
    Slot& slot = slots_[slot_of(key)];
    if (slot.epoch != epoch_)
        ++used_;
    slot = {key, value, epoch_};
}

void PointerMap::grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : old)
        if (slot.epoch == epoch_)
            slots_[slot_of(slot.key)] = slot;
}

}  // namespace virtgpu::frontend
