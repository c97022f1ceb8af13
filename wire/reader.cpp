#include "wire/reader.h"

#include "wire/padding.h"

namespace virtgpu::wire {

Result<bool> Reader::boolean() {
    const auto value = TRY(number<uint32_t>());
    if (value > 1)
        return fail(Fault::kPeer, "a boolean is {}, neither 0 nor 1", value);
    return value == 1;
}

Result<uint32_t> Reader::count(uint32_t limit, size_t smallest_element) {
    const auto value = TRY(number<uint32_t>());
    if (value > limit)
        return fail(Fault::kPeer, "{} elements where at most {} are allowed", value, limit);
    if (value * smallest_element > rest_.size())
        return fail(Fault::kPeer, "{} elements announced, {} bytes left", value, rest_.size());
    return value;
}

Result<std::string> Reader::string(uint32_t limit) {
    const auto length = TRY(count(limit, 1));
    const auto bytes = TRY(take(padded(length)));
    return std::string(reinterpret_cast<const char*>(bytes.data()), length);
}

Result<std::string> Reader::text(uint32_t limit) {
    const auto length = TRY(number<uint64_t>());
    if (length == 0 || length > uint64_t{limit} + 1)
        return fail(Fault::kPeer, "a string of {} bytes where 1 to {} are allowed", length,
                    uint64_t{limit} + 1);
    const auto bytes = TRY(take(padded(length)));
    if (bytes[length - 1] != std::byte{0})
        return fail(Fault::kPeer, "a string of {} bytes without its zero", length);
    return std::string(reinterpret_cast<const char*>(bytes.data()), length - 1);
}

Result<void> Reader::expect_end() const {
    if (!rest_.empty())
        return fail(Fault::kPeer, "{} bytes too many at the end of a message", rest_.size());
    return {};
}

}  // namespace virtgpu::wire
