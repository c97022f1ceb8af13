// Objects by handle: an index and a generation, so that a stale or invented handle finds nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "protocol/generated/structures.h"
#include "wire/result.h"

namespace virtgpu::wire {

// Thread safe. Objects are shared, so that one removed while another thread uses it lives until
// that thread is done. All failures of find and remove are Fault::kPeer.
template <typename T>
class HandleTable {
 public:
    explicit HandleTable(uint32_t limit) : limit_(limit) {}

    // Fault::kRefused when the table is full.
    Result<protocol::Handle> add(std::shared_ptr<T> object) {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) {
            if (slots_.size() == limit_)
                return fail(Fault::kRefused, "all {} handles are in use", limit_);
            free_.push_back(static_cast<uint32_t>(slots_.size()));
            slots_.emplace_back();
        }
        const uint32_t index = free_.back();
        free_.pop_back();
        Slot& slot = slots_[index];
        slot.object = std::move(object);
        return protocol::Handle{index, ++slot.generation};
    }

    Result<std::shared_ptr<T>> find(protocol::Handle handle) const {
        const std::lock_guard lock(mutex_);
        TRY(check(handle));
        return slots_[handle.index].object;
    }

    Result<std::shared_ptr<T>> remove(protocol::Handle handle) {
        const std::lock_guard lock(mutex_);
        TRY(check(handle));
        // A slot whose generations are used up is never given out again.
        if (slots_[handle.index].generation != UINT32_MAX)
            free_.push_back(handle.index);
        return std::move(slots_[handle.index].object);
    }

    size_t size() const {
        const std::lock_guard lock(mutex_);
        return slots_.size() - free_.size();
    }

 private:
    struct Slot {
        std::shared_ptr<T> object;
        uint32_t generation = 0;
    };

    Result<void> check(protocol::Handle handle) const {
        if (handle.index >= slots_.size() || !slots_[handle.index].object ||
            slots_[handle.index].generation != handle.generation)
            return fail(Fault::kPeer, "handle {}.{} names nothing", handle.index,
                        handle.generation);
        return {};
    }

    mutable std::mutex mutex_;
    uint32_t limit_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_;
};

}  // namespace virtgpu::wire
