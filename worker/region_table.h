// The regions that the device process gave to a context.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "backend/regions.h"
#include "protocol/generated/structures.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::worker {

// Thread safe: the control loop adds and removes, executors find. A region that is removed while it
// is used stays mapped until then.
class RegionTable : public backend::Regions {
 public:
    // Fails for a file that is too small or could shrink: touching it would kill us. `loan` is
    // closed when the region is unmapped, which tells the device process that it may use the memory
    // anew.
    wire::Result<void> add(const protocol::WorkerAddRegionRequest& request,
                           const wire::FileDescriptor& file, wire::FileDescriptor loan);
    void remove(uint32_t number);

    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override;

 private:
    mutable std::mutex mutex_;
    std::map<uint32_t, std::shared_ptr<wire::Region>> regions_;
};

}  // namespace virtgpu::worker
