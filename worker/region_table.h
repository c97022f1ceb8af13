// The regions that the device process gave to a context.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "backend/regions.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::worker {

// Thread safe: the control loop adds and removes, executors find. A region that is removed while it
// is used stays mapped until then.
class RegionTable : public backend::Regions {
 public:
    // Fails for a file that is smaller than `size` or could shrink: touching it would kill us.
    wire::Result<void> add(uint32_t number, const wire::FileDescriptor& file, uint64_t size);
    void remove(uint32_t number);

    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override;

 private:
    mutable std::mutex mutex_;
    std::map<uint32_t, std::shared_ptr<wire::Region>> regions_;
};

}  // namespace virtgpu::worker
