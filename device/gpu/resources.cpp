#include "device/gpu/resources.h"

#include <utility>

#include "device/limits.h"

namespace virtgpu::gpu {

using wire::Fault;
using wire::Result;

Result<void> Resources::check_number(uint32_t number) const {
    if (number == 0 || resources_.contains(number))
        return fail(Fault::kPeer, "resource number {} is taken", number);
    return {};
}

Result<void> Resources::add_guest_blob(uint32_t number, std::vector<PageRun> pages) {
    TRY(check_number(number));
    if (guest_blobs_ == device::kMaxGuestBlobs ||
        pages.size() > device::kMaxGuestBlobPages - guest_blob_pages_)
        return fail(Fault::kRefused, "{} guest blobs of {} page runs are too many",
                    guest_blobs_ + 1, guest_blob_pages_ + pages.size());
    ++guest_blobs_;
    guest_blob_pages_ += pages.size();
    resources_.emplace(number, Resource{GuestBlob{std::move(pages)}});
    return {};
}

Result<void> Resources::add_host_blob(uint32_t number, uint64_t size) {
    TRY(check_number(number));
    if (resources_.size() - guest_blobs_ == device::kMaxRegions)
        return fail(Fault::kRefused, "all {} regions are in use", device::kMaxRegions);
    if (size == 0 || size > largest_blob_)
        return fail(Fault::kRefused, "a region of {} bytes where at most {} are allowed", size,
                    largest_blob_);
    resources_.emplace(number, Resource{HostBlob{device::whole_pages(size)}});
    return {};
}

Resource* Resources::find(uint32_t number) {
    const auto found = resources_.find(number);
    return found == resources_.end() ? nullptr : &found->second;
}

HostBlob* Resources::find_host_blob(uint32_t number) {
    Resource* resource = find(number);
    return resource == nullptr ? nullptr : std::get_if<HostBlob>(&resource->memory);
}

void Resources::remove(uint32_t number) {
    const auto found = resources_.find(number);
    if (found == resources_.end())
        return;
    if (const auto* guest = std::get_if<GuestBlob>(&found->second.memory)) {
        --guest_blobs_;
        guest_blob_pages_ -= guest->pages.size();
    }
    resources_.erase(found);
}

void Resources::forget_context(uint32_t context) {
    for (auto& [number, resource] : resources_)
        resource.contexts.erase(context);
}

void Resources::clear() {
    resources_.clear();
    guest_blobs_ = 0;
    guest_blob_pages_ = 0;
}

}  // namespace virtgpu::gpu
