// Numbers of the vhost-user protocol. Source: QEMU's docs/interop/vhost-user.rst (11.1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace virtgpu::vhost_user {

enum class RequestType : uint32_t {
    kGetFeatures = 1,
    kSetFeatures = 2,
    kSetOwner = 3,
    kResetOwner = 4,
    kSetMemoryTable = 5,
    kSetVringSize = 8,
    kSetVringAddress = 9,
    kSetVringBase = 10,
    kGetVringBase = 11,
    kSetVringKick = 12,
    kSetVringCall = 13,
    kSetVringError = 14,
    kGetProtocolFeatures = 15,
    kSetProtocolFeatures = 16,
    kGetQueueCount = 17,
    kSetVringEnable = 18,
    kSetBackendChannel = 21,
    kGetConfig = 24,
    kSetConfig = 25,
    kGpuSetSocket = 33,
    kResetDevice = 34,
    kGetSharedMemoryConfig = 44,
};

// Requests of ours, over the backend channel.
enum class BackendRequestType : uint32_t { kMap = 9 };

// Bits of the virtio features that concern the transport.
inline constexpr unsigned kFeatureIndirect = 28;
inline constexpr unsigned kFeatureEventIndex = 29;
inline constexpr unsigned kFeatureProtocolFeatures = 30;
inline constexpr unsigned kFeatureVersion1 = 32;
// Resetting single queues. QEMU's vhost-user-gpu-pci agrees on it with the guest without asking us;
// the virtio_gpu driver does not do it.
inline constexpr unsigned kFeatureRingReset = 40;

// Bits of the protocol features. STATUS (16) is left out on purpose: QEMU sets the status to 0 when
// a VM is paused, and a paused VM keeps its contexts; RESET_DEVICE tells a real reset.
inline constexpr unsigned kProtocolMultiQueue = 0;
inline constexpr unsigned kProtocolReplyAck = 3;
inline constexpr unsigned kProtocolBackendRequests = 5;
inline constexpr unsigned kProtocolConfig = 9;
inline constexpr unsigned kProtocolBackendSendFile = 10;
inline constexpr unsigned kProtocolResetDevice = 13;
// CONFIGURE_MEM_SLOTS (15) is left out as well: with it QEMU 11.1 keeps a list of the regions that
// we know, and when a guest is reset while blobs are mapped, it follows that list to regions that
// are gone and crashes (send_remove_regions, at the next start of the driver).
// 22, not the 20 of drafts and forks; those bits mean something else since 11.1.
inline constexpr unsigned kProtocolSharedMemory = 22;

inline constexpr size_t kMaxRegionsInTable = 8;
inline constexpr uint32_t kMaxConfigBytes = 256;
inline constexpr size_t kSharedMemoryRegions = 256;  // entries of GET_SHMEM_CONFIG's answer
inline constexpr uint32_t kQueues = 2;               // control and cursor

}  // namespace virtgpu::vhost_user
