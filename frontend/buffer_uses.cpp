#include "frontend/buffer_uses.h"

#include <algorithm>

namespace virtgpu::frontend {

namespace {

template <typename Uses>
auto find(Uses& uses, const protocol::Handle& buffer) {
    return std::find_if(uses.begin(), uses.end(),
                        [&](const auto& use) { return use.buffer == buffer; });
}

}  // namespace

void BufferUses::note(std::span<const protocol::Handle> buffers, uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    for (const protocol::Handle& buffer : buffers) {
        const auto found = find(uses_, buffer);
        if (found == uses_.end())
            uses_.push_back({buffer, sequence});
        else
            found->sequence = std::max(found->sequence, sequence);
    }
}

uint64_t BufferUses::last(const protocol::Handle& buffer) const {
    const std::lock_guard lock(mutex_);
    const auto found = find(uses_, buffer);
    return found == uses_.end() ? 0 : found->sequence;
}

void BufferUses::forget(const protocol::Handle& buffer) {
    const std::lock_guard lock(mutex_);
    std::erase_if(uses_, [&](const Use& use) { return use.buffer == buffer; });
}

}  // namespace virtgpu::frontend
