// Writing encoded bytes (format: docs/PROTOCOL.md, "Encoding").
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "wire/padding.h"
#include "wire/result.h"

namespace virtgpu::wire {

// Grows as needed; clear() keeps the memory, so that a reused Writer stops allocating.
class Writer {
 public:
    std::span<const std::byte> bytes() const { return bytes_; }
    void clear() { bytes_.clear(); }

    // `size` new bytes at the end, valid until the next call.
    std::byte* extend(size_t size) {
        const size_t start = bytes_.size();
        bytes_.resize(start + size);
        return bytes_.data() + start;
    }

    template <typename T>
    requires std::is_arithmetic_v<T>
    void number(T value) { std::memcpy(extend(sizeof(T)), &value, sizeof(T)); }

    void boolean(bool value) { number<uint32_t>(value ? 1 : 0); }

    // More elements than the protocol allows would only be refused by the other side.
    Result<void> count(size_t value, uint32_t limit) {
        if (value > limit)
            return fail(Fault::kRefused, "{} elements where at most {} are allowed", value, limit);
        number(static_cast<uint32_t>(value));
        return {};
    }

    Result<void> string(std::string_view value, uint32_t limit) {
        TRY(count(value.size(), limit));
        std::memcpy(extend(padded(value.size())), value.data(), value.size());
        return {};
    }

    // Upstream's strings: their terminating zero is counted and sent.
    Result<void> text(std::string_view value, uint32_t limit) {
        if (value.size() > limit)
            return fail(Fault::kRefused, "{} characters where at most {} are allowed", value.size(),
                        limit);
        number(static_cast<uint64_t>(value.size() + 1));
        std::memcpy(extend(padded(value.size() + 1)), value.data(), value.size());
        return {};
    }

 private:
    std::vector<std::byte> bytes_;
};

}  // namespace virtgpu::wire
