// The guest's resources. Limits: device/limits.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "device/gpu/command.h"
#include "device/sealed_memory.h"

namespace virtgpu::gpu {

// Memory of the guest.
struct GuestBlob {
    std::vector<PageRun> pages;
};

// Memory of ours: a region, while it is mapped.
struct HostBlob {
    uint64_t size = 0;                // bytes, whole pages
    device::SharedMemory memory{};    // set while mapped, or being mapped with all its pages
    device::SharedMemory coming{};    // the same before, while pages are put behind it
    std::optional<uint64_t> place{};  // in the window, where it is or was
};

struct Resource {
    std::variant<GuestBlob, HostBlob> memory;
    std::set<uint32_t> contexts{};  // attached to these
};

class Resources {
 public:
    // `largest_blob`: bytes that a host blob may have.
    explicit Resources(uint64_t largest_blob) : largest_blob_(largest_blob) {}

    // Fault::kPeer for a number that is 0 or taken, Fault::kRefused over a limit.
    wire::Result<void> add_guest_blob(uint32_t number, std::vector<PageRun> pages);
    wire::Result<void> add_host_blob(uint32_t number, uint64_t size);

    Resource* find(uint32_t number);
    HostBlob* find_host_blob(uint32_t number);
    void remove(uint32_t number);
    // The context is gone: no resource is attached to it any more.
    void forget_context(uint32_t context);
    void clear();
    size_t size() const { return resources_.size(); }

 private:
    wire::Result<void> check_number(uint32_t number) const;

    uint64_t largest_blob_;
    std::map<uint32_t, Resource> resources_;
    size_t guest_blobs_ = 0;
    size_t guest_blob_pages_ = 0;
};

}  // namespace virtgpu::gpu
