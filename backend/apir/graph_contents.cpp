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
        const auto bytes = known.encoded.bytes();
        return encoded.size() == bytes.size() &&
               std::memcmp(encoded.data(), bytes.data(), bytes.size()) == 0;
    });
    if (found == known_.end())
        return std::nullopt;
    known_.splice(known_.begin(), known_, found);
    return found->number;
}

wire::Result<void> GraphContents::add(uint32_t number, std::span<const std::byte> encoded,
                                      size_t tensors) {
    std::list<Known> added;
    Known& known = added.emplace_back(number, tensors, account_);
    TRY(known.encoded.resize(encoded.size()));
    std::copy(encoded.begin(), encoded.end(), known.encoded.bytes().begin());
    known_.splice(known_.begin(), added);
    bytes_ += encoded.size();
    tensors_ += tensors;
    return {};
}

bool GraphContents::has_room(size_t bytes, size_t tensors) const {
    return known_.size() < kMostGraphs && bytes_ + bytes <= kMostBytes &&
           tensors_ + tensors <= kMostTensors;
}

std::optional<uint32_t> GraphContents::oldest() const {
    if (known_.empty())
        return std::nullopt;
    return known_.back().number;
}

void GraphContents::remove(uint32_t number) {
    const auto found = std::find_if(known_.begin(), known_.end(), [number](const Known& known) {
        return known.number == number;
    });
    if (found == known_.end())
        return;
    bytes_ -= found->encoded.bytes().size();
    tensors_ -= found->tensors;
    known_.erase(found);
}

}  // namespace virtgpu::backend
