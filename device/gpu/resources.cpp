#include "device/gpu/resources.h"

#include <utility>

#include "device/limits.h"
#include "protocol/generated/structures.h"

namespace virtgpu::gpu {

using wire::Fault;
using wire::Result;

device::AnyMemory Resource::memory() const {
    if (const auto* guest = std::get_if<GuestResource>(&kind))
        return guest->memory;
    return std::get<HostBlob>(kind).memory;
}

Result<void> Resources::check_number(uint32_t number) const {
    if (number == 0 || resources_.contains(number))
        return fail(Fault::kPeer, "resource number {} is taken", number);
    return {};
}

Result<void> Resources::add_guest_resource(uint32_t number,
                                           std::shared_ptr<const GuestRegion> memory) {
    TRY(check_number(number));
    if (guest_resources_ == device::kMaxGuestResources)
        return fail(Fault::kRefused, "all {} resources of guest memory are in use",
                    device::kMaxGuestResources);
    ++guest_resources_;
    resources_.emplace(number, Resource{GuestResource{std::move(memory)}});
    return {};
}

Result<void> Resources::add_host_blob(uint32_t number, uint64_t size) {
    TRY(check_number(number));
    if (resources_.size() - guest_resources_ >= most_host_blobs_)
        return fail(Fault::kRefused, "all {} regions are in use", most_host_blobs_);
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
    return resource == nullptr ? nullptr : std::get_if<HostBlob>(&resource->kind);
}

GuestResource* Resources::find_guest_resource(uint32_t number) {
    Resource* resource = find(number);
    return resource == nullptr ? nullptr : std::get_if<GuestResource>(&resource->kind);
}

void Resources::remove(uint32_t number) {
    const auto found = resources_.find(number);
    if (found == resources_.end())
        return;
    if (std::holds_alternative<GuestResource>(found->second.kind))
        --guest_resources_;
    resources_.erase(found);
}

void Resources::forget_context(uint32_t context) {
    for (auto& [number, resource] : resources_)
        resource.contexts.erase(context);
}

void Resources::clear() {
    resources_.clear();
    guest_resources_ = 0;
}

}  // namespace virtgpu::gpu
