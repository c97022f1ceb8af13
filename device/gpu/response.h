// Answers to control commands.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "device/gpu/command.h"
#include "device/gpu/virtio_gpu.h"

namespace virtgpu::gpu {

inline constexpr size_t kDisplayBytes = 24;  // rectangle, enabled, flags
// The answer to GET_DISPLAY_INFO is the longest.
inline constexpr size_t kMaxResponseBytes = Header::kSize + kMaxScanouts * kDisplayBytes;

struct Response {
    ResponseType type = ResponseType::kOkNoData;
    std::vector<std::byte> payload{};
};

// With the fence of the command's header, which tells the driver what has completed.
std::vector<std::byte> encode_response(const Header& header, const Response& response);

// Payloads.
std::vector<std::byte> encode_no_displays();
std::vector<std::byte> encode_capset_info(uint32_t capset, uint32_t version, uint32_t size);
std::vector<std::byte> encode_map_info();
// Our capset (docs/PROTOCOL.md, level 1).
std::vector<std::byte> encode_capset();

}  // namespace virtgpu::gpu
