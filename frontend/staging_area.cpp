#include "frontend/staging_area.h"

namespace virtgpu::frontend {

namespace {

// Pieces do not share cache lines: one side writes while the other reads the next.
constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::optional<size_t> StagingArea::take(size_t bytes) {
    bytes = aligned(bytes);
    size_t begin = 0;
    if (bytes > size_)
        return std::nullopt;
    if (!pieces_.empty()) {
        const size_t first = pieces_.front().begin;
        const size_t last = pieces_.back().end;
        const bool wrapped = pieces_.back().begin < first;
        if (!wrapped && bytes <= size_ - last)
            begin = last;
        else if (!wrapped && bytes <= first)
            begin = 0;
        else if (wrapped && bytes <= first - last)
            begin = last;
        else
            return std::nullopt;
    }
    pieces_.push_back({begin, begin + bytes, 0});
    return begin;
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

std::optional<uint64_t> StagingArea::oldest() const {
    if (pieces_.empty() || pieces_.front().sequence == 0)
        return std::nullopt;
    return pieces_.front().sequence;
}

}  // namespace virtgpu::frontend
