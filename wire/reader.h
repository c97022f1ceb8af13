// Bounded reading of encoded bytes (format: docs/PROTOCOL.md, "Encoding").
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "wire/result.h"

namespace virtgpu::wire {

// Reads from bytes that nobody else can change: shared memory is copied out first
// (Region::copy_out). Every failure is Fault::kPeer. Holds a view, not the bytes.
class Reader {
 public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    // The next `size` bytes, valid as long as the bytes given to the constructor.
    Result<std::span<const std::byte>> take(size_t size) {
        if (size > rest_.size()) [[unlikely]]
            return fail(Fault::kPeer, "message ends {} bytes early", size - rest_.size());
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    template <typename T>
    requires std::is_arithmetic_v<T> Result<T> number() {
        const auto bytes = TRY(take(sizeof(T)));
        T value;
        std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }

    Result<bool> boolean();
    // Counts are checked against `limit` and against what is left, so a lying count allocates
    // nothing.
    Result<uint32_t> count(uint32_t limit, size_t smallest_element);
    Result<std::string> string(uint32_t limit);
    // Upstream's strings: their terminating zero is counted and sent.
    Result<std::string> text(uint32_t limit);
    Result<void> expect_end() const;

 private:
    std::span<const std::byte> rest_;
};

}  // namespace virtgpu::wire
