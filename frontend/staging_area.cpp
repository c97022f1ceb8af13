#include "frontend/staging_area.h"

#include <algorithm>

namespace virtgpu::frontend {

namespace {

// Pieces do not share cache lines: one side writes while the other reads the next.
constexpr size_t kAlignment = 64;

// A request that is done before all others.
constexpr uint64_t kFreed = 1;

size_t aligned(size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::optional<size_t> StagingArea::take(size_t bytes) {
    bytes = aligned(bytes);
    const auto begin = place_for(bytes);
    if (begin)
        pieces_.push_back({*begin, *begin + bytes, 0});
    return begin;
}

// Behind the last piece, or before the first where the area's end is too near.
std::optional<size_t> StagingArea::place_for(size_t bytes) const {
    const size_t first = pieces_.empty() ? 0 : pieces_.front().begin;
    const size_t last = pieces_.empty() ? 0 : pieces_.back().end;
    const bool wrapped = !pieces_.empty() && pieces_.back().begin < first;
    const size_t limit = wrapped ? first : size_;
    if (bytes <= limit - last)
        return last;
    if (!wrapped && bytes <= first)
        return 0;
    return std::nullopt;
}

void StagingArea::use_until(uint64_t sequence) {
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend() && piece->sequence == 0; ++piece)
        piece->sequence = sequence;
}

void StagingArea::release(uint64_t completed) {
    while (!pieces_.empty() && pieces_.front().sequence != 0 &&
           pieces_.front().sequence <= completed)
        pieces_.pop_front();
}

void StagingArea::give_back() {
    const auto held = std::find_if(pieces_.begin(), pieces_.end(),
                                   [](const Piece& piece) { return piece.sequence == 0; });
    if (held != pieces_.end())
        held->sequence = kFreed;
    release(kFreed);
}

std::optional<uint64_t> StagingArea::oldest() const {
    if (pieces_.empty() || pieces_.front().sequence == 0)
        return std::nullopt;
    return pieces_.front().sequence;
}

}  // namespace virtgpu::frontend
