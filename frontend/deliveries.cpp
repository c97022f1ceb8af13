#include "frontend/deliveries.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "frontend/transfer.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

constexpr size_t kLandingAlignment = 64;

void hand_over(std::span<std::byte> to, const wire::BulkData& bytes, bool succeeded) {
    if (succeeded && to.data() != bytes.data())
        std::memcpy(to.data(), bytes.data(), to.size());
    else if (!succeeded)
        std::memset(to.data(), 0, to.size());
}

}  // namespace

Result<void> Deliveries::request(const Part& part, std::span<std::byte> to) {
    const std::lock_guard lock(mutex_);
    if (to.size() > kLandingBytes)
        return download(ring_, part.tensor, part.offset, to);
    if (to.size() > kLandingBytes - landing_used_)
        TRY(finish(ring_.sent()));
    const auto piece = TRY(ring_.landing(landing_used_, to.size()));
    const uint64_t sequence = TRY(ring_.get_tensor({part.tensor, part.offset, piece.span}));
    ring_.uses().note(part.tensor.buffer, sequence);
    deliveries_.push_back({sequence, piece.bytes, to});
    landing_used_ = std::min(kLandingBytes, (landing_used_ + to.size() + kLandingAlignment - 1) /
                                                kLandingAlignment * kLandingAlignment);
    return {};
}

Result<void> Deliveries::request_there(const Part& part, const protocol::RegionSpan& there,
                                       std::span<std::byte> to) {
    const std::lock_guard lock(mutex_);
    const uint64_t sequence = TRY(ring_.get_tensor({part.tensor, part.offset, there}));
    ring_.uses().note(part.tensor.buffer, sequence);
    deliveries_.push_back({sequence, wire::BulkData(to.data(), to.size()), to});
    return {};
}

void Deliveries::postpone(const Part& part, std::span<std::byte> to,
                          const std::shared_ptr<SharedRegion>& region, wire::BulkData bytes) {
    const std::lock_guard lock(mutex_);
    postponed_.push_back({part, to, region, region->memory(), bytes});
}

Result<void> Deliveries::send_postponed() {
    const std::lock_guard lock(mutex_);
    if (postponed_.empty())
        return {};
    size_t total = 0;
    for (const Postponed& postponed : postponed_)
        total += postponed.to.size();
    // Then waiting costs less than sending.
    if (total > kLandingBytes)
        return finish();
    size_t sent = 0;
    Result<void> outcome;
    while (outcome && sent < postponed_.size())
        if ((outcome = send(postponed_[sent])))
            ++sent;
    // finish() gives zeroes for the others. Where making room failed it has done so already.
    const auto done = static_cast<std::ptrdiff_t>(std::min(sent, postponed_.size()));
    postponed_.erase(postponed_.begin(), postponed_.begin() + done);
    return outcome;
}

Result<void> Deliveries::send(const Postponed& postponed) {
    if (!postponed.region.expired())
        return request(postponed.part, postponed.to);
    // A buffer is freed behind all that was queued, so nothing changes its bytes any more, and the
    // host would not find it.
    hand_over(postponed.to, postponed.bytes, true);
    return {};
}

// Before the lock: in a forked child it may be held for ever, by a thread that is not there.
Result<void> Deliveries::finish() {
    if (ring_.health().is_copy())
        return ring_.health().check();
    const std::lock_guard lock(mutex_);
    auto finished = ring_.finish();
    deliver_until(UINT64_MAX, finished.has_value());
    fetch_postponed(finished.has_value());
    return finished;
}

Result<void> Deliveries::finish(uint64_t sequence) {
    if (ring_.health().is_copy())
        return ring_.health().check();
    const std::lock_guard lock(mutex_);
    auto finished = ring_.finish(sequence);
    deliver_until(finished ? sequence : UINT64_MAX, finished.has_value());
    if (!finished)
        fetch_postponed(false);
    return finished;
}

void Deliveries::deliver_until(uint64_t sequence, bool succeeded) {
    std::erase_if(deliveries_, [&](const Delivery& delivery) {
        if (delivery.sequence > sequence)
            return false;
        hand_over(delivery.to, delivery.bytes, succeeded);
        return true;
    });
    if (deliveries_.empty())
        landing_used_ = 0;
}

void Deliveries::fetch_postponed(bool succeeded) {
    for (const Postponed& postponed : postponed_)
        hand_over(postponed.to, postponed.bytes, succeeded);
    postponed_.clear();
}

}  // namespace virtgpu::frontend
