#include "backend/apir/callback_regions.h"

#include <algorithm>

namespace virtgpu::backend {

namespace {

constexpr size_t kRecent = 2;

}  // namespace

wire::Result<std::shared_ptr<wire::Region>> CallbackRegions::find(uint32_t number) const {
    const void* const address = callbacks_.get_shmem_ptr(context_, number);
    if (address == nullptr)
        return wire::fail(wire::Fault::kPeer, "there is no region {}", number);
    const SharedMapping mapping = TRY(find_shared_mapping(address));
    std::erase_if(known_, [](const auto& known) { return known.second.region.expired(); });
    const auto found = known_.find(number);
    auto region = found != known_.end() && found->second.mapping == mapping
                      ? found->second.region.lock()
                      : nullptr;
    if (!region) {
        region = TRY(map_again(mapping));
        known_[number] = {mapping, region};
    }
    if (std::find(recent_.begin(), recent_.end(), region) == recent_.end())
        recent_.push_back(region);
    if (recent_.size() > kRecent)
        recent_.pop_front();
    return region;
}

}  // namespace virtgpu::backend
