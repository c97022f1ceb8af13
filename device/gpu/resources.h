// The guest's resources and where they are mapped. Limits: device/limits.h.
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

// Memory of ours: a region.
struct HostBlob {
    device::SharedMemory memory;
    std::optional<uint64_t> mapped_at{};  // in the window; set while mapped or being mapped
};

struct Resource {
    std::variant<GuestBlob, HostBlob> memory;
    std::set<uint32_t> contexts{};  // attached to these
};

class Resources {
 public:
    explicit Resources(uint64_t memory_limit) : allocator_(memory_limit) {}

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

    // Claims the window's bytes for a blob. Fault::kRefused when it cannot lie there or too many
    // blobs are mapped, and then nothing is claimed.
    wire::Result<void> place(HostBlob& blob, uint64_t offset, uint64_t window_size);
    // Gives the place back; the offset that it had.
    uint64_t displace(HostBlob& blob);

 private:
    wire::Result<void> check_number(uint32_t number) const;
    bool is_free(uint64_t offset, uint64_t size) const;

    device::SealedMemoryAllocator allocator_;
    std::map<uint32_t, Resource> resources_;
    size_t guest_blobs_ = 0;
    size_t guest_blob_pages_ = 0;
    std::map<uint64_t, uint64_t> placed_;  // offset to size
};

}  // namespace virtgpu::gpu
