#include "worker/library/library_callbacks.h"

#include <atomic>
#include <utility>

namespace virtgpu::worker {

namespace {

// The one object that the C interface leaves no other place for.
std::atomic<LibraryCallbacks*>& current() {
    static std::atomic<LibraryCallbacks*> callbacks{nullptr};
    return callbacks;
}

}  // namespace

LibraryCallbacks::LibraryCallbacks(uint32_t context, Configuration configuration,
                                   std::shared_ptr<const backend::Regions> regions)
    : context_(context), configuration_(std::move(configuration)), regions_(std::move(regions)) {
    current() = this;
}

LibraryCallbacks::~LibraryCallbacks() {
    current() = nullptr;
}

LibraryCallbacks* LibraryCallbacks::find(uint32_t context) {
    LibraryCallbacks* const callbacks = current();
    return callbacks != nullptr && callbacks->context_ == context ? callbacks : nullptr;
}

const char* LibraryCallbacks::get_config(uint32_t context, const char* key) {
    const LibraryCallbacks* const callbacks = find(context);
    if (callbacks == nullptr || key == nullptr)
        return nullptr;
    const auto found = callbacks->configuration_.find(key);
    if (found == callbacks->configuration_.end() || found->second.empty())
        return nullptr;
    return found->second.c_str();
}

void* LibraryCallbacks::get_shmem_ptr(uint32_t context, uint32_t region) {
    LibraryCallbacks* const callbacks = find(context);
    return callbacks == nullptr ? nullptr : callbacks->start_of(region);
}

void* LibraryCallbacks::start_of(uint32_t number) {
    auto region = regions_->find(number);
    if (!region)
        return nullptr;
    const auto memory = (*region)->bulk(0, (*region)->size());
    if (!memory)
        return nullptr;
    const std::lock_guard lock(mutex_);
    asked_for_.push_back(std::move(*region));
    return memory->data();
}

void LibraryCallbacks::let_go_of_regions() {
    const std::lock_guard lock(mutex_);
    asked_for_.clear();
}

}  // namespace virtgpu::worker
