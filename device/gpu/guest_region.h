// Regions in the guest's own memory: what a resource is where the VMM has no host-visible window.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "device/gpu/command.h"
#include "device/region_memory.h"
#include "device/virtio/guest_memory.h"

namespace virtgpu::gpu {

using wire::Result;

// The pages of a resource, which are the guest's again when nobody uses the region any more. Until
// then the guest must not learn that the resource is gone: a worker may still write there.
class GuestRegion : public device::RegionMemory {
 public:
    using Freed = std::function<void()>;
    using Files = std::vector<std::shared_ptr<const wire::FileDescriptor>>;

    // `files` are the ones that the pieces are in; `freed` is called by the destructor.
    GuestRegion(Files files, std::vector<device::FilePiece> pieces, uint64_t size, Freed freed);
    ~GuestRegion() override;
    GuestRegion(const GuestRegion&) = delete;
    GuestRegion& operator=(const GuestRegion&) = delete;

    std::span<const device::FilePiece> pieces() const override { return pieces_; }
    // Adds to what the destructor calls.
    void when_free(Freed freed) const { waiters_.push_back(std::move(freed)); }

 private:
    Files files_;
    std::vector<device::FilePiece> pieces_;
    mutable std::vector<Freed> waiters_;
};

// Makes them, of one guest and in a limited number of pieces.
class GuestRegions {
 public:
    // The memory must outlive this.
    explicit GuestRegions(const virtio::GuestMemory& memory) : memory_(memory) {}

    // Pages that lie side by side in a file become one piece. Fault::kPeer for what is not whole
    // pages of shared guest memory, Fault::kRefused for more than protocol::kMaxPieces in use.
    Result<std::shared_ptr<const GuestRegion>> assemble(std::span<const PageRun> pages);
    size_t pieces_in_use() const { return *in_use_; }

 private:
    const virtio::GuestMemory& memory_;
    std::shared_ptr<size_t> in_use_ = std::make_shared<size_t>(0);
};

}  // namespace virtgpu::gpu
