#pragma once

#include <chrono>

#include "frontend/transport/transport.h"

namespace virtgpu::frontend {

// How long a device that may be a real Venus is waited for: every program of the guest pays it.
inline constexpr std::chrono::milliseconds kProbeTime(200);

// Asks who is there by a HANDSHAKE. Fault::kRefused when nobody answers in time who speaks APIR.
wire::Result<void> expect_host(Transport& transport);

}  // namespace virtgpu::frontend
