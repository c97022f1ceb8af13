#pragma once

#include <atomic>
#include <cstdint>

#include "frontend/apir_client.h"
#include "frontend/session_health.h"
#include "frontend/traffic.h"
#include "frontend/transport/transport.h"
#include "wire/trace.h"

namespace virtgpu::frontend {

// What all rings of a connection share. All of it outlives the rings.
struct RingServices {
    Transport& transport;
    ApirClient& apir;
    SessionHealth& health;
    Traffic& traffic;
    // How long a wait polls before it sleeps. HELLO says it.
    const std::atomic<uint32_t>& polling_microseconds;
    wire::Trace* trace = nullptr;  // null: nothing is traced
};

}  // namespace virtgpu::frontend
