#pragma once

#include <cstring>
#include <vector>

#include "wire/generated/codec.h"

namespace virtgpu::frontend {

// Bytes of an APIR command (docs/PROTOCOL.md, "Level 1"). `reply_region` is 0 where none is wanted.
inline wire::Writer level1_command(protocol::ApirType type, int32_t flags, uint32_t reply_region) {
    wire::Writer writer;
    writer.number(static_cast<int32_t>(type));
    writer.number(flags);
    writer.number(reply_region);
    return writer;
}

inline wire::Writer forward_command(protocol::ApirForward id, uint32_t reply_region) {
    return level1_command(protocol::ApirType::kForward, static_cast<int32_t>(id), reply_region);
}

enum class Doorbell : uint32_t {
    kRing = 0,
    kWait = 1,  // the command's fence completes with the ring's next signal
};

// The DOORBELL command for a ring.
inline wire::Writer doorbell_command(uint32_t ring, Doorbell doorbell) {
    wire::Writer writer = forward_command(protocol::ApirForward::kDoorbell, 0);
    writer.number(ring);
    writer.number(static_cast<uint32_t>(doorbell));
    return writer;
}

// The same command in a context of the Venus capset.
inline std::vector<std::byte> on_venus(std::span<const std::byte> command) {
    std::vector<std::byte> bytes(command.begin(), command.end());
    int32_t type = 0;
    std::memcpy(&type, bytes.data(), sizeof type);
    type += protocol::kFirstTypeOnVenus;
    std::memcpy(bytes.data(), &type, sizeof type);
    return bytes;
}

}  // namespace virtgpu::frontend
