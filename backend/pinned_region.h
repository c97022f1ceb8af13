// Shared memory that devices read and write by themselves.
#pragma once

#include <ggml-backend.h>

#include <memory>
#include <vector>

#include "backend/export.h"
#include "wire/log.h"
#include "wire/region.h"

namespace virtgpu::backend {

// Memory whose pages stay where they are, so that a device copies from and to it while the
// processor does something else. Otherwise a driver copies everything once more, and transfers that
// should go on in the background are waited for.
class PinnedRegion {
 public:
    PinnedRegion() = default;
    virtual ~PinnedRegion() = default;
    PinnedRegion(const PinnedRegion&) = delete;
    PinnedRegion& operator=(const PinnedRegion&) = delete;
};

// How that is done. Thread safe.
class VIRTGPU_EXPORT RegionPinning {
 public:
    RegionPinning() = default;
    virtual ~RegionPinning() = default;
    RegionPinning(const RegionPinning&) = delete;
    RegionPinning& operator=(const RegionPinning&) = delete;

    // `memory` must outlive what is returned, and this object must, too. Null where nothing is
    // gained or the system does not allow it: then transfers take longer, and that is all.
    virtual std::unique_ptr<PinnedRegion> pin(const wire::BulkData& memory) = 0;
};

// What the driver of these devices has for it; pins nothing where there is no such driver. Keeps a
// reference to the log.
std::shared_ptr<RegionPinning> pinning_for(const std::vector<ggml_backend_dev_t>& devices,
                                           wire::Log& log);

}  // namespace virtgpu::backend
