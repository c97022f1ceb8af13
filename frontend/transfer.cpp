#include "frontend/transfer.h"

#include <algorithm>
#include <cstring>
#include <deque>

namespace virtgpu::frontend {

using wire::Result;

namespace {

// Four pieces keep both sides busy.
constexpr size_t kPieces = 4;
// With less than this the host need not begin before somebody waits for it.
constexpr size_t kWorthWaking = size_t{64} * 1024;

struct Asked {
    std::span<std::byte> to;
    wire::BulkData bytes;
    uint64_t sequence;
};

Result<void> take_oldest(RingChannel& ring, RingChannel::Staging& staging,
                         std::deque<Asked>& asked) {
    const Asked& piece = asked.front();
    TRY(ring.finish(piece.sequence));
    std::memcpy(piece.to.data(), piece.bytes.data(), piece.to.size());
    staging.give_back();
    asked.pop_front();
    return {};
}

}  // namespace

Result<void> upload(RingChannel& ring, const protocol::TensorData& tensor, size_t offset,
                    std::span<const std::byte> from) {
    auto staging = ring.lock_staging();
    const size_t largest = staging.size() / kPieces;
    const bool wake = from.size() >= kWorthWaking;
    while (!from.empty()) {
        const auto bytes = from.first(std::min(from.size(), largest));
        const auto piece = TRY(staging.reserve(bytes.size()));
        std::memcpy(piece.bytes.data(), bytes.data(), bytes.size());
        staging.in_use_until(TRY(ring.set_tensor({tensor, offset, piece.span})));
        if (wake)
            TRY(ring.wake_host());
        offset += bytes.size();
        from = from.subspan(bytes.size());
    }
    return {};
}

Result<void> download(RingChannel& ring, const protocol::TensorData& tensor, size_t offset,
                      std::span<std::byte> to) {
    auto staging = ring.lock_staging();
    const size_t largest = staging.size() / kPieces;
    std::deque<Asked> asked;
    while (!to.empty()) {
        const auto bytes = to.first(std::min(to.size(), largest));
        if (asked.size() == kPieces - 1)
            TRY(take_oldest(ring, staging, asked));
        const auto piece = TRY(staging.reserve(bytes.size()));
        const uint64_t sequence = TRY(ring.get_tensor({tensor, offset, piece.span}));
        asked.push_back({bytes, piece.bytes, sequence});
        TRY(ring.wake_host());
        offset += bytes.size();
        to = to.subspan(bytes.size());
    }
    while (!asked.empty())
        TRY(take_oldest(ring, staging, asked));
    return {};
}

}  // namespace virtgpu::frontend
