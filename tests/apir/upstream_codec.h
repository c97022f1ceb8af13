// Upstream's encodings, written a second time and from its description, so that a mistake in the
// generated code does not pass unnoticed.
#pragma once

#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace virtgpu::test {

class Encoder {
 public:
    static constexpr size_t kMost = 4096;

    template <typename T>
    Encoder& number(T value) {
        static_assert(sizeof(T) == 4 || sizeof(T) == 8);
        return raw(&value, sizeof value);
    }
    // Four bytes, of which only the first means anything.
    Encoder& byte(uint8_t value) { return number(0xdcdcdc00U | value); }
    Encoder& raw(const void* bytes, size_t size) {
        if (bytes_.size() + size > kMost)
            throw std::length_error("a command of more than 4096 bytes");
        const auto* const begin = static_cast<const std::byte*>(bytes);
        bytes_.insert(bytes_.end(), begin, begin + size);
        return *this;
    }
    std::span<const std::byte> bytes() const { return bytes_; }

 private:
    std::vector<std::byte> bytes_;
};

class Decoder {
 public:
    explicit Decoder(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <typename T>
    T number() {
        static_assert(sizeof(T) == 4 || sizeof(T) == 8);
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    bool boolean() { return take(4)[0] != std::byte{0}; }
    std::string string() {
        const auto size = number<uint64_t>();
        if (size == 0)
            throw std::runtime_error("a string without a terminating zero");
        const auto bytes = take((size + 3) / 4 * 4);
        const auto* const text = reinterpret_cast<const char*>(bytes.data());
        if (text[size - 1] != '\0')
            throw std::runtime_error("a string without a terminating zero");
        return std::string(text, size - 1);
    }

 private:
    std::span<const std::byte> take(size_t size) {
        if (size > rest_.size())
            throw std::length_error("a reply that ends early");
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    std::span<const std::byte> rest_;
};

// 304 bytes, naturally aligned, not packed.
struct RpcTensor {
    uint64_t id;
    uint32_t type;
    uint64_t buffer;
    uint32_t ne[4];
    uint32_t nb[4];
    uint32_t op;
    int32_t op_params[16];
    int32_t flags;
    uint64_t src[10];
    uint64_t view_src;
    uint64_t view_offs;
    uint64_t data;
    char name[64];
    char padding[4];
};
static_assert(sizeof(RpcTensor) == 304 && offsetof(RpcTensor, src) == 128 &&
              offsetof(RpcTensor, data) == 224 && offsetof(RpcTensor, name) == 232);

}  // namespace virtgpu::test
