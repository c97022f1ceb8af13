// The guest's resources. Limits: device/limits.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "device/gpu/guest_region.h"
#include "device/limits.h"
#include "device/sealed_memory.h"

namespace virtgpu::gpu {

// Memory of the guest: a region, while its pages are attached.
struct GuestResource {
    std::shared_ptr<const GuestRegion> memory{};
};

// Memory of ours: a region, while it is mapped.
struct HostBlob {
    uint64_t size = 0;                // bytes, whole pages
    device::SharedMemory memory{};    // set while mapped, or being mapped with all its pages
    device::SharedMemory coming{};    // the same before, while pages are put behind it
    std::optional<uint64_t> place{};  // in the window, where it is or was
};

struct Resource {
    std::variant<GuestResource, HostBlob> kind;
    std::set<uint32_t> contexts{};  // attached to these

    // Nothing while it has none.
    device::AnyMemory memory() const;
};

class Resources {
 public:
    // `largest_blob`: bytes that a host blob may have.
    explicit Resources(uint64_t largest_blob,
                       size_t most_host_blobs = device::TenantLimits().regions)
        : largest_blob_(largest_blob), most_host_blobs_(most_host_blobs) {}

    // Fault::kPeer for a number that is 0 or taken, Fault::kRefused over a limit.
    wire::Result<void> add_guest_resource(uint32_t number,
                                          std::shared_ptr<const GuestRegion> memory = {});
    wire::Result<void> add_host_blob(uint32_t number, uint64_t size);

    Resource* find(uint32_t number);
    HostBlob* find_host_blob(uint32_t number);
    GuestResource* find_guest_resource(uint32_t number);
    void remove(uint32_t number);
    // The context is gone: no resource is attached to it any more.
    void forget_context(uint32_t context);
    void clear();
    size_t size() const { return resources_.size(); }

 private:
    wire::Result<void> check_number(uint32_t number) const;

    uint64_t largest_blob_;
    size_t most_host_blobs_;
    std::map<uint32_t, Resource> resources_;
    size_t guest_resources_ = 0;
};

}  // namespace virtgpu::gpu
