#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "frontend/transport/transport.h"

namespace virtgpu::frontend {

// A region for level 1 replies: a word that the host sets to 1 + return code when the payload
// behind it is complete.
class ReplyPage {
 public:
    // As upstream's frontend has it: hosts with pages of 16 KiB map no less.
    static constexpr size_t kBytes = 16384;

    explicit ReplyPage(std::unique_ptr<SharedRegion> region) : region_(std::move(region)) {}

    uint32_t number() const { return region_->number(); }
    // Before a command is sent.
    void clear();
    // The return code, when the reply is there.
    std::optional<uint32_t> code() const;
    // A copy of the payload's first bytes.
    wire::Result<std::vector<std::byte>> payload(size_t size) const;

 private:
    std::unique_ptr<SharedRegion> region_;
};

}  // namespace virtgpu::frontend
