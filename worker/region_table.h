// The regions that the device process gave to a context.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "backend/pinned_region.h"
#include "backend/regions.h"
#include "protocol/generated/structures.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::worker {

// Thread safe: the control loop adds and removes, executors find. A region that is removed while it
// is used stays mapped until then.
class RegionTable : public backend::Regions {
 public:
    explicit RegionTable(std::shared_ptr<backend::RegionPinning> pinning)
        : pinning_(std::move(pinning)) {}

    // Fails for a file that is too small or could shrink: touching it would kill us; and where the
    // system has no memory for the mapping. Who looks for the region then gets Fault::kRefused,
    // because that is not the guest's fault. `loan` is closed when the region is unmapped, which
    // tells the device process that it may use the memory anew.
    wire::Result<void> add(const protocol::WorkerAddRegionRequest& request,
                           const wire::FileDescriptor& file, wire::FileDescriptor loan);
    // A region in the guest's memory: the VMM could truncate its files, but harms nobody else then,
    // because a worker has one VM only.
    wire::Result<void> add_guests(uint32_t number, const wire::FileDescriptor& piece_list,
                                  std::span<const wire::FileDescriptor> files,
                                  wire::FileDescriptor loan);
    void remove(uint32_t number);

    // For executors. Waits a little: what a ring says may overtake the device process' message.
    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override;
    // For the control loop, which has read all messages so far.
    wire::Result<std::shared_ptr<wire::Region>> find_now(uint32_t number) const;

 private:
    // Of a region that could not be mapped, the reason.
    using Entry = wire::Result<std::shared_ptr<wire::Region>>;

    Entry borrow(Entry mapped, wire::FileDescriptor loan) const;
    wire::Result<void> keep(uint32_t number, const Entry& region);

    const std::shared_ptr<backend::RegionPinning> pinning_;
    mutable std::mutex mutex_;
    mutable std::condition_variable added_;
    std::map<uint32_t, Entry> regions_;
};

}  // namespace virtgpu::worker
