#include "frontend/reply_page.h"

#include <atomic>

namespace virtgpu::frontend {

namespace {

constexpr size_t kPayloadOffset = sizeof(uint32_t);

// Regions are page aligned and at least kBytes long.
std::atomic_ref<uint32_t> word(const SharedRegion& region) {
    return std::atomic_ref<uint32_t>(
        *reinterpret_cast<uint32_t*>(region.memory()->bulk(0, sizeof(uint32_t))->data()));
}

}  // namespace

void ReplyPage::clear() {
    word(*region_).store(0, std::memory_order_seq_cst);
}

std::optional<uint32_t> ReplyPage::code() const {
    const uint32_t value = word(*region_).load(std::memory_order_acquire);
    return value == 0 ? std::nullopt : std::optional(value - 1);
}

wire::Result<std::vector<std::byte>> ReplyPage::payload(size_t size) const {
    std::vector<std::byte> bytes(size);
    TRY(region_->memory()->copy_out(kPayloadOffset, bytes));
    return bytes;
}

}  // namespace virtgpu::frontend
