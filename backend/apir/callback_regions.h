// The regions of a virglrenderer's context.
#pragma once

#include <deque>
#include <map>

#include "backend/apir/sys/shared_mapping.h"
#include "backend/apir/virglrenderer.h"
#include "backend/regions.h"

namespace virtgpu::backend {

// Used inside a call of virglrenderer's only: no region goes or comes meanwhile.
class CallbackRegions : public Regions {
 public:
    CallbackRegions(uint32_t context, const apir_callbacks& callbacks)
        : context_(context), callbacks_(callbacks) {}

    // Mapped a second time, so that what is still used stays when the guest gives it back. Each
    // time anew virglrenderer and the system are asked: the next region may have the same number
    // and lie at the same address.
    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override;

 private:
    struct Known {
        SharedMapping mapping;
        std::weak_ptr<wire::Region> region;
    };

    const uint32_t context_;
    const apir_callbacks callbacks_;
    mutable std::map<uint32_t, Known> known_;
    // Those used last: a guest has one that all its data goes through.
    mutable std::deque<std::shared_ptr<wire::Region>> recent_;
};

}  // namespace virtgpu::backend
