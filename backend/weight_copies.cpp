#include "backend/weight_copies.h"

#include <iterator>

namespace virtgpu::backend {

WeightCopies::ByOffset::iterator WeightCopies::first_behind(uint64_t offset) {
    auto found = copies_->upper_bound(offset);
    if (found == copies_->begin())
        return found;
    const auto before = std::prev(found);
    return before->first + before->second->original_bytes() > offset ? before : found;
}

WeightCopies::Copy WeightCopies::copy_for(const ggml_tensor& node, uint64_t offset,
                                          const CopyTypes& types,
                                          const std::shared_ptr<MemoryAccount>& account,
                                          wire::Log& log) {
    const std::lock_guard lock(mutex_);
    const ggml_tensor& original = *node.src[0];
    const auto found = first_behind(offset);
    const bool taken = found != copies_->end() && found->first < offset + ggml_nbytes(&original);
    if (taken)
        return found->second->is_of(original) ? Copy{found->second->tensor(), copies_} : Copy{};
    if (full_)
        return {};
    ggml_backend_buffer_type_t const type = types.best_for(node);
    ggml_tensor* const made = type == nullptr ? nullptr : make(node, offset, type, account, log);
    return made == nullptr ? Copy{} : Copy{made, copies_};
}

ggml_tensor* WeightCopies::make(const ggml_tensor& node, uint64_t offset,
                                ggml_backend_buffer_type_t type,
                                const std::shared_ptr<MemoryAccount>& account, wire::Log& log) {
    auto copy = WeightCopy::make(*node.src[0], type, account);
    if (!copy) {
        // Once: the next graph's weights will not fit either.
        full_ = true;
        log.debug("some weights are computed with where they lie, which is slower: {}",
                  copy.error().message());
        return nullptr;
    }
    if (copies_->empty())
        account->add_spare(weak_from_this());
    ggml_tensor* const tensor = (*copy)->tensor();
    copies_->emplace(offset, std::move(*copy));
    stale_ = true;
    return tensor;
}

void WeightCopies::mark_changed(uint64_t offset, uint64_t size) {
    const std::lock_guard lock(mutex_);
    for (auto copy = first_behind(offset); copy != copies_->end() && copy->first < offset + size;
         ++copy) {
        copy->second->mark_stale();
        stale_ = true;
    }
}

WeightCopies::Hold WeightCopies::refresh() {
    const std::lock_guard lock(mutex_);
    if (abandoned_)
        return nullptr;
    if (!stale_)
        return copies_;
    for (const auto& [offset, copy] : *copies_)
        if (copy->stale())
            copy->fill();
    stale_ = false;
    return copies_;
}

void WeightCopies::give_up() {
    const std::lock_guard lock(mutex_);
    abandon();
    full_ = true;
    copies_ = std::make_shared<ByOffset>();
}

}  // namespace virtgpu::backend
