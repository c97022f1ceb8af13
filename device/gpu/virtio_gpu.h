// Numbers of the virtio specification 1.2, section 5.7 (GPU device).
#pragma once

#include <cstdint>

namespace virtgpu::gpu {

enum class CommandType : uint32_t {
    kGetDisplayInfo = 0x0100,
    kResourceUnref = 0x0102,
    kAttachBacking = 0x0106,
    kDetachBacking = 0x0107,
    kGetCapsetInfo = 0x0108,
    kGetCapset = 0x0109,
    kResourceCreateBlob = 0x010c,
    kContextCreate = 0x0200,
    kContextDestroy = 0x0201,
    kContextAttachResource = 0x0202,
    kContextDetachResource = 0x0203,
    kResourceCreate3d = 0x0204,
    kSubmit3d = 0x0207,
    kMapBlob = 0x0208,
    kUnmapBlob = 0x0209,
};

enum class ResponseType : uint32_t {
    kOkNoData = 0x1100,
    kOkDisplayInfo = 0x1101,
    kOkCapsetInfo = 0x1102,
    kOkCapset = 0x1103,
    kOkMapInfo = 0x1106,
    kErrorUnspecified = 0x1200,
    kErrorOutOfMemory = 0x1201,
    kErrorInvalidResource = 0x1203,
    kErrorInvalidContext = 0x1204,
    kErrorInvalidParameter = 0x1205,
};

enum class BlobMemory : uint32_t { kGuest = 1, kHost3d = 2, kHost3dGuest = 3 };

// Feature bits.
inline constexpr unsigned kFeatureVirgl = 0;
inline constexpr unsigned kFeatureResourceBlob = 3;
inline constexpr unsigned kFeatureContextInit = 4;

inline constexpr uint32_t kFlagFence = 1U << 0;
inline constexpr uint32_t kFlagRingIndex = 1U << 1;
inline constexpr uint32_t kContextCapsetMask = 0xff;  // of context_init
inline constexpr uint32_t kMapCacheCached = 1;

// The shared memory region that blobs are mapped into.
inline constexpr uint8_t kHostVisibleRegion = 1;

inline constexpr unsigned kMaxScanouts = 16;  // entries in the answer to GET_DISPLAY_INFO

}  // namespace virtgpu::gpu
