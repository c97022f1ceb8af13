// Control commands, decoded. Layouts: virtio specification 1.2, section 5.7.6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "device/gpu/virtio_gpu.h"
#include "wire/result.h"

namespace virtgpu::gpu {

struct Header {
    static constexpr size_t kSize = 24;

    uint32_t type = 0;
    uint32_t flags = 0;
    uint64_t fence = 0;
    uint32_t context = 0;
    uint8_t ring = 0;

    bool fenced() const { return (flags & kFlagFence) != 0; }
    bool has_ring() const { return (flags & kFlagRingIndex) != 0; }
};

struct GetDisplayInfo {};
struct GetCapsetInfo {
    uint32_t index = 0;
};
struct GetCapset {
    uint32_t capset = 0;
    uint32_t version = 0;
};
struct ContextCreate {
    uint32_t context_init = 0;
    std::string name;  // printable
};
struct ContextDestroy {};
struct ContextAttachResource {
    uint32_t resource = 0;
};
struct ContextDetachResource {
    uint32_t resource = 0;
};
struct PageRun {
    uint64_t address = 0;  // in guest memory
    uint32_t size = 0;
};
// Without blobs: a texture to the driver, and a piece of guest memory to us once its pages come.
struct ResourceCreate3d {
    uint32_t resource = 0;
};
struct AttachBacking {
    uint32_t resource = 0;
    std::vector<PageRun> pages;
};
struct DetachBacking {
    uint32_t resource = 0;
};
struct ResourceCreateBlob {
    uint32_t resource = 0;
    uint32_t memory = 0;  // BlobMemory, unchecked
    uint32_t flags = 0;
    uint64_t blob_id = 0;
    uint64_t size = 0;
    std::vector<PageRun> pages;
};
struct ResourceUnref {
    uint32_t resource = 0;
};
struct MapBlob {
    uint32_t resource = 0;
    uint64_t offset = 0;  // in the host-visible window
};
struct UnmapBlob {
    uint32_t resource = 0;
};
struct Submit3d {
    std::span<const std::byte> command;  // part of the bytes that were decoded
};
// Everything else, 2D commands included: this device has no display.
struct UnknownCommand {
    uint32_t type = 0;
};

using Command = std::variant<GetDisplayInfo, GetCapsetInfo, GetCapset, ContextCreate,
                             ContextDestroy, ContextAttachResource, ContextDetachResource,
                             ResourceCreate3d, AttachBacking, DetachBacking, ResourceCreateBlob,
                             ResourceUnref, MapBlob, UnmapBlob, Submit3d, UnknownCommand>;

// Both read a private copy of the guest's bytes. Every failure is Fault::kPeer.
wire::Result<Header> decode_header(std::span<const std::byte> bytes);
wire::Result<Command> decode_command(const Header& header, std::span<const std::byte> bytes);

}  // namespace virtgpu::gpu
