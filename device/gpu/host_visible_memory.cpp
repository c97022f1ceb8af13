#include "device/gpu/host_visible_memory.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace virtgpu::gpu {

using device::SealedFile;
using device::SealedMemory;
using device::SharedMemory;
using wire::Fault;
using wire::Result;

Result<void> HostVisibleMemory::check(uint64_t offset, uint64_t size) const {
    if (size == 0 || offset > window_.size() || size > window_.size() - offset ||
        device::whole_pages(offset) != offset || device::whole_pages(size) != size)
        return fail(Fault::kRefused, "{}+{} is no place in a window of {}", offset, size,
                    window_.size());
    const auto next = places_->lower_bound(offset);
    const bool clear_after = next == places_->end() || next->first - offset >= size;
    const bool clear_before =
        next == places_->begin() || offset - std::prev(next)->first >= std::prev(next)->second.size;
    if (!clear_after || !clear_before)
        return fail(Fault::kRefused, "{}+{} is in use", offset, size);
    return {};
}

uint64_t HostVisibleMemory::largest_gap() const {
    uint64_t largest = 0;
    uint64_t end = 0;
    for (const auto& [offset, place] : *places_) {
        largest = std::max(largest, offset - end);
        end = offset + place.size;
    }
    return std::max(largest, window_.size() - end);
}

Result<SharedMemory> HostVisibleMemory::claim(uint64_t offset, uint64_t size) {
    TRY(check(offset, size));
    if (!file_)
        file_ = TRY(SealedFile::create(window_.size()));
    places_->emplace(offset, Place{size});
    return std::make_shared<const SealedMemory>(
        file_, offset, size, [file = file_, places = places_, pages = pages_, offset, size] {
            pages->take_back(file, offset, size, [places, offset] {
                const auto freed = places->extract(offset);
                for (const Freed& waiter : freed.mapped().waiters)
                    waiter();
            });
        });
}

void HostVisibleMemory::when_visible(Done done) {
    if (visibility_ == Visibility::kThere)
        return done({});
    waiters_.push_back(std::move(done));
    if (visibility_ == Visibility::kComing)
        return;
    visibility_ = Visibility::kComing;
    window_.map(file_, [this](const Result<void>& result) { mapped(result); });
}

void HostVisibleMemory::mapped(const Result<void>& result) {
    visibility_ = result ? Visibility::kThere : Visibility::kNone;
    for (const Done& done : std::exchange(waiters_, {}))
        done(result);
}

void HostVisibleMemory::when_free(uint64_t offset, Freed freed) {
    const auto place = places_->find(offset);
    if (place == places_->end())
        return freed();
    place->second.waiters.push_back(std::move(freed));
}

void HostVisibleMemory::reset() {
    window_.forget();
    visibility_ = Visibility::kNone;
    waiters_.clear();
    for (auto& [offset, place] : *places_)
        place.waiters.clear();
    places_ = std::make_shared<Places>();
    file_.reset();
}

}  // namespace virtgpu::gpu
