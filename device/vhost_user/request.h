// The VMM's requests, decoded.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "device/vhost_user/message_socket.h"
#include "device/vhost_user/protocol.h"
#include "device/virtio/guest_memory.h"

namespace virtgpu::vhost_user {

struct GetFeatures {};
struct SetFeatures {
    uint64_t features = 0;
};
struct SetOwner {};  // of no consequence here, as RESET_OWNER
struct MemoryRegion {
    virtio::MemoryRange range;
    FileDescriptor file;
};
struct SetMemoryTable {
    std::vector<MemoryRegion> regions;
};
struct SetVringSize {
    uint32_t vring = 0;
    uint32_t size = 0;
};
struct SetVringAddress {
    uint32_t vring = 0;
    uint64_t descriptors = 0;
    uint64_t used = 0;
    uint64_t available = 0;  // addresses of the VMM
};
struct SetVringBase {
    uint32_t vring = 0;
    uint32_t index = 0;
};
struct GetVringBase {
    uint32_t vring = 0;
};
struct SetVringKick {
    uint32_t vring = 0;
    FileDescriptor file;  // may be none: then we are to poll, which we do not
};
struct SetVringCall {
    uint32_t vring = 0;
    FileDescriptor file;
};
struct SetVringError {
    uint32_t vring = 0;
    FileDescriptor file;
};
struct GetProtocolFeatures {};
struct SetProtocolFeatures {
    uint64_t features = 0;
};
struct GetQueueCount {};
struct SetVringEnable {
    uint32_t vring = 0;
    bool enable = false;
};
struct SetBackendChannel {
    FileDescriptor file;
};
struct GetConfig {
    uint32_t offset = 0;
    uint32_t size = 0;
    uint32_t flags = 0;
};
struct SetConfig {};  // the driver clears events, of which there are none
struct GpuSetSocket {
    FileDescriptor file;
};
struct ResetDevice {};
struct GetSharedMemoryConfig {};
struct UnknownRequest {
    uint32_t request = 0;
};

using Request = std::variant<GetFeatures, SetFeatures, SetOwner, SetMemoryTable, SetVringSize,
                             SetVringAddress, SetVringBase, GetVringBase, SetVringKick,
                             SetVringCall, SetVringError, GetProtocolFeatures, SetProtocolFeatures,
                             GetQueueCount, SetVringEnable, SetBackendChannel, GetConfig, SetConfig,
                             GpuSetSocket, ResetDevice, GetSharedMemoryConfig, UnknownRequest>;

// Takes the message's descriptors. Vring numbers are checked. Every failure is Fault::kPeer.
Result<Request> decode_request(Message message);

}  // namespace virtgpu::vhost_user
