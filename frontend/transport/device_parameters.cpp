#include "frontend/transport/device_parameters.h"

#include <xf86drm.h>

#include "frontend/transport/virtgpu_uapi.h"

namespace virtgpu::frontend {

namespace {

// 0 for what the kernel does not know.
int parameter(int node, uint64_t id) {
    int value = 0;
    uapi::GetParam request{id, reinterpret_cast<uintptr_t>(&value)};
    return drmIoctl(node, uapi::kIoctlGetParam, &request) == 0 ? value : 0;
}

}  // namespace

DeviceParameters device_parameters(int node) {
    return {parameter(node, uapi::kParam3dFeatures) != 0,
            parameter(node, uapi::kParamResourceBlob) != 0,
            parameter(node, uapi::kParamHostVisible) != 0,
            parameter(node, uapi::kParamContextInit) != 0,
            static_cast<uint32_t>(parameter(node, uapi::kParamSupportedCapsets))};
}

}  // namespace virtgpu::frontend
