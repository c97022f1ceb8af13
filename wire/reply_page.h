// Where a level 1 command is answered (docs/PROTOCOL.md, level 1).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "wire/region.h"

namespace virtgpu::wire {

// The start of a region, which it keeps alive.
class ReplyPage {
 public:
    // Fault::kPeer for a region that is too small for any answer.
    static Result<ReplyPage> create(std::shared_ptr<Region> region);

    // Writes `payload` from byte 4 and then, with release order, 1 + `code` at byte 0: who sees the
    // code sees the payload. Fault::kPeer, and nothing is written, when the region is too small.
    Result<void> answer(uint32_t code, std::span<const std::byte> payload);

 private:
    explicit ReplyPage(std::shared_ptr<Region> region) : region_(std::move(region)) {}

    std::shared_ptr<Region> region_;
};

}  // namespace virtgpu::wire
