// The virtio_gpu driver's ioctls as of Linux 5.16 (include/uapi/drm/virtgpu_drm.h there); libdrm's
// copy of that header is older than blobs and contexts. Newer kernels accept these sizes and take
// the fields added since as zero.
#pragma once

#include <drm.h>

#include <cstdint>

namespace virtgpu::frontend::uapi {

inline uint64_t address_of(const void* object) {
    return reinterpret_cast<uintptr_t>(object);
}

struct Map {
    uint64_t offset;  // out: for mmap
    uint32_t handle;
    uint32_t pad;
};

// A texture to the driver; only its size matters to us.
struct ResourceCreate {
    uint32_t target;
    uint32_t format;
    uint32_t bind;
    uint32_t width;
    uint32_t height;
    uint32_t depth;
    uint32_t array_size;
    uint32_t last_level;
    uint32_t nr_samples;
    uint32_t flags;
    uint32_t bo_handle;   // out
    uint32_t res_handle;  // out
    uint32_t size;        // bytes of guest memory
    uint32_t stride;
};

struct Execbuffer {
    uint32_t flags;
    uint32_t size;
    uint64_t command;
    uint64_t bo_handles;
    uint32_t num_bo_handles;
    int32_t fence_fd;  // out with kFenceFdOut
    uint32_t ring_idx;
    uint32_t pad;
};
inline constexpr uint32_t kFenceFdOut = 2;
inline constexpr uint32_t kRingIdx = 4;

struct GetParam {
    uint64_t param;
    uint64_t value;  // address of an int
};
inline constexpr uint64_t kParam3dFeatures = 1;
inline constexpr uint64_t kParamResourceBlob = 3;
inline constexpr uint64_t kParamHostVisible = 4;
inline constexpr uint64_t kParamContextInit = 6;
inline constexpr uint64_t kParamSupportedCapsets = 7;

struct GetCaps {
    uint32_t cap_set_id;
    uint32_t cap_set_ver;
    uint64_t addr;
    uint32_t size;
    uint32_t pad;
};

struct ResourceCreateBlob {
    uint32_t blob_mem;
    uint32_t blob_flags;
    uint32_t bo_handle;   // out
    uint32_t res_handle;  // out
    uint64_t size;
    uint32_t pad;
    uint32_t cmd_size;
    uint64_t cmd;
    uint64_t blob_id;
};
inline constexpr uint32_t kBlobMemGuest = 1;
inline constexpr uint32_t kBlobMemHost3d = 2;
inline constexpr uint32_t kBlobFlagUseMappable = 1;

struct ContextSetParam {
    uint64_t param;
    uint64_t value;
};
inline constexpr uint64_t kContextParamCapsetId = 1;
inline constexpr uint64_t kContextParamNumRings = 2;
inline constexpr uint64_t kContextParamPollRingsMask = 3;

struct ContextInit {
    uint32_t num_params;
    uint32_t pad;
    uint64_t ctx_set_params;
};

static_assert(sizeof(Map) == 16 && sizeof(Execbuffer) == 40 && sizeof(GetParam) == 16);
static_assert(sizeof(ResourceCreate) == 56);
static_assert(sizeof(GetCaps) == 24 && sizeof(ResourceCreateBlob) == 48);
static_assert(sizeof(ContextSetParam) == 16 && sizeof(ContextInit) == 16);

inline constexpr unsigned long kIoctlMap = DRM_IOWR(DRM_COMMAND_BASE + 0x01, Map);
inline constexpr unsigned long kIoctlExecbuffer = DRM_IOWR(DRM_COMMAND_BASE + 0x02, Execbuffer);
inline constexpr unsigned long kIoctlGetParam = DRM_IOWR(DRM_COMMAND_BASE + 0x03, GetParam);
inline constexpr unsigned long kIoctlResourceCreate =
    DRM_IOWR(DRM_COMMAND_BASE + 0x04, ResourceCreate);
inline constexpr unsigned long kIoctlGetCaps = DRM_IOWR(DRM_COMMAND_BASE + 0x09, GetCaps);
inline constexpr unsigned long kIoctlCreateBlob =
    DRM_IOWR(DRM_COMMAND_BASE + 0x0a, ResourceCreateBlob);
inline constexpr unsigned long kIoctlContextInit = DRM_IOWR(DRM_COMMAND_BASE + 0x0b, ContextInit);

}  // namespace virtgpu::frontend::uapi
