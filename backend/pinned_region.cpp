#include "backend/pinned_region.h"

#include <cstdlib>
#include <string_view>

#include "backend/cuda_pinning.h"

namespace virtgpu::backend {

namespace {

class NoPinning : public RegionPinning {
 public:
    std::unique_ptr<PinnedRegion> pin(const wire::BulkData& /*memory*/) override { return nullptr; }
};

bool is_cuda(ggml_backend_dev_t device) {
    ggml_backend_reg_t const registry = ggml_backend_dev_backend_reg(device);
    return std::string_view(ggml_backend_reg_name(registry)) == "CUDA";
}

}  // namespace

std::shared_ptr<RegionPinning> pinning_for(const std::vector<ggml_backend_dev_t>& devices,
                                           wire::Log& log) {
    // ggml's word for the same wish.
    if (std::getenv("GGML_CUDA_NO_PINNED") == nullptr)
        for (ggml_backend_dev_t const device : devices) {
            ggml_backend_dev_props properties{};
            ggml_backend_dev_get_props(device, &properties);
            if (!is_cuda(device) || properties.device_id == nullptr)
                continue;
            if (auto pinning = make_cuda_pinning(properties.device_id, log))
                return pinning;
        }
    return std::make_shared<NoPinning>();
}

}  // namespace virtgpu::backend
