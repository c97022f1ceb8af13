#pragma once

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

// The DOORBELL command for a ring.
inline wire::Writer doorbell_command(uint32_t ring) {
    wire::Writer writer = forward_command(protocol::ApirForward::kDoorbell, 0);
    writer.number(ring);
    return writer;
}

}  // namespace virtgpu::frontend
