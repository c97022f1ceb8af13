#include "wire/reply_page.h"

#include <atomic>

namespace virtgpu::wire {

namespace {

constexpr size_t kPayloadOffset = sizeof(uint32_t);

}  // namespace

Result<ReplyPage> ReplyPage::create(std::shared_ptr<Region> region) {
    if (region->size() < kPayloadOffset)
        return fail(Fault::kPeer, "a reply region of {} bytes", region->size());
    return ReplyPage(std::move(region));
}

Result<void> ReplyPage::answer(uint32_t code, std::span<const std::byte> payload) {
    TRY(region_->copy_in(kPayloadOffset, payload));
    auto* const word = reinterpret_cast<uint32_t*>(region_->base());
    std::atomic_ref(*word).store(1 + code, std::memory_order_release);
    return {};
}

}  // namespace virtgpu::wire
