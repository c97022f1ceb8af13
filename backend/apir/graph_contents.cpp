#include "backend/apir/graph_contents.h"

#include <algorithm>
#include <cstring>

#include "protocol/generated/structures.h"

namespace virtgpu::backend {

namespace {

// A model has a few: a prompt's, a token's, and others where caches grow.
constexpr size_t kMostGraphs = 16;
constexpr size_t kMostBytes = size_t{64} << 20;
constexpr size_t kMostTensors = protocol::kMaxGraphTensors;

}  // namespace

std::optional<uint32_t> GraphContents::find(std::span<const std::byte> encoded) {
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
        return encoded.size() == known.encoded.size() &&
               std::memcmp(encoded.data(), known.encoded.data(), encoded.size()) == 0;
    });
    if (found == known_.end())
        return std::nullopt;
    known_.splice(known_.begin(), known_, found);
    return found->number;
}

void GraphContents::add(uint32_t number, std::span<const std::byte> encoded, size_t tensors) {
    known_.push_front({number, {encoded.begin(), encoded.end()}, tensors});
    bytes_ += encoded.size();
    tensors_ += tensors;
}

std::optional<uint32_t> GraphContents::make_room(size_t bytes, size_t tensors) {
    if (known_.empty() || (known_.size() < kMostGraphs && bytes_ + bytes <= kMostBytes &&
                           tensors_ + tensors <= kMostTensors))
        return std::nullopt;
    const uint32_t oldest = known_.back().number;
    remove(oldest);
    return oldest;
}

void GraphContents::remove(uint32_t number) {
    const auto found = std::find_if(known_.begin(), known_.end(), [number](const Known& known) {
        return known.number == number;
    });
    if (found == known_.end())
        return;
    bytes_ -= found->encoded.size();
    tensors_ -= found->tensors;
    known_.erase(found);
}

}  // namespace virtgpu::backend
