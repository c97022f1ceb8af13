// Level 1 commands as a frontend writes them, and replies as it reads them.
#pragma once

#include <optional>

#include "device/sealed_memory.h"
#include "protocol/generated/structures.h"
#include "tests/unit/device/support.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::test {

template <typename... Arguments>
std::vector<std::byte> level1(protocol::ApirType type, uint32_t flags, uint32_t reply_region,
                              Arguments... arguments) {
    return bytes_of(static_cast<int32_t>(type), flags, reply_region, arguments...);
}

inline std::vector<std::byte> handshake(uint32_t reply_region) {
    return level1(protocol::ApirType::kHandshake, 0, reply_region, uint32_t{0}, uint32_t{2});
}
inline std::vector<std::byte> loadlibrary(uint32_t reply_region) {
    return level1(protocol::ApirType::kLoadlibrary, 0, reply_region);
}
inline std::vector<std::byte> forward(protocol::ApirForward id, uint32_t reply_region) {
    return level1(protocol::ApirType::kForward, static_cast<uint32_t>(id), reply_region);
}
template <typename... Arguments>
std::vector<std::byte> forward(protocol::ForwardCommand id, uint32_t reply_region,
                               Arguments... arguments) {
    return level1(protocol::ApirType::kForward, static_cast<uint32_t>(id), reply_region,
                  arguments...);
}
inline std::vector<std::byte> ping(uint32_t reply_region) {
    return forward(protocol::ApirForward::kPing, reply_region);
}
inline std::vector<std::byte> ring_command(protocol::ApirForward id, uint32_t ring) {
    return level1(protocol::ApirType::kForward, static_cast<uint32_t>(id), 0, ring);
}
// With `wait` its fence waits for the ring's signal.
inline std::vector<std::byte> doorbell(uint32_t ring, uint32_t wait = 1) {
    return level1(protocol::ApirType::kForward,
                  static_cast<uint32_t>(protocol::ApirForward::kDoorbell), 0, ring, wait);
}
inline std::vector<std::byte> open_ring(uint32_t reply_region, uint32_t ring, uint32_t region) {
    constexpr uint32_t kCapacity = 4096;
    return level1(protocol::ApirType::kForward,
                  static_cast<uint32_t>(protocol::ApirForward::kOpenRing), reply_region, ring,
                  region, kCapacity, kCapacity);
}

// The reply page in a region's memory.
class ReplyReader {
 public:
    explicit ReplyReader(const device::SealedMemory& memory)
        : region_(*wire::map_region(memory.file(), memory.size())) {}

    // The return code, once there is one; clears the page for the next.
    std::optional<uint32_t> take() {
        std::vector<std::byte> page(64);
        EXPECT_TRUE(region_->copy_out(0, page));
        const auto word = number_at<uint32_t>(page, 0);
        if (word == 0)
            return std::nullopt;
        payload_.assign(page.begin() + 4, page.end());
        EXPECT_TRUE(region_->copy_in(0, bytes_of(uint32_t{0})));
        return word - 1;
    }
    uint32_t payload_word(size_t index) const { return number_at<uint32_t>(payload_, index * 4); }

 private:
    std::shared_ptr<wire::Region> region_;
    std::vector<std::byte> payload_;
};

}  // namespace virtgpu::test
