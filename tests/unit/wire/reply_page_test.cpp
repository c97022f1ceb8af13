#include "wire/reply_page.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "tests/unit/wire/test_region.h"

namespace virtgpu::wire {
namespace {

TEST(ReplyPage, TooSmallARegionGetsNoAnswer) {
    EXPECT_FALSE(ReplyPage::create(make_shared_region(3).first));
    auto page = ReplyPage::create(make_shared_region(8).first);
    ASSERT_TRUE(page);
    EXPECT_FALSE(page->answer(4, std::array<std::byte, 5>{}));
    EXPECT_TRUE(page->answer(4, std::array<std::byte, 4>{}));
}

// Upstream's virglrenderer writes the code with a plain store.
TEST(ReplyPage, Virglrenderer32WhoSeesTheCodeSeesThePayload) {
    const auto [host_side, guest_side] = make_shared_region(16384);
    auto page = ReplyPage::create(host_side);
    ASSERT_TRUE(page);
    const auto memory = guest_side->bulk(0, guest_side->size()).value();
    const std::atomic_ref word(*reinterpret_cast<uint32_t*>(memory.data()));
    constexpr uint32_t kRounds = 200;
    std::thread host([&] {
        std::array<uint32_t, 64> payload{};
        for (uint32_t round = 1; round <= kRounds; ++round) {
            while (word.load(std::memory_order_acquire) != 0)
                std::this_thread::yield();
            payload.fill(round);
            EXPECT_TRUE(page->answer(round, std::as_bytes(std::span(payload))));
        }
    });
    for (uint32_t round = 1; round <= kRounds; ++round) {
        while (word.load(std::memory_order_acquire) != round + 1)
            std::this_thread::yield();
        std::array<uint32_t, 64> payload{};
        std::memcpy(payload.data(), memory.data() + sizeof(uint32_t), sizeof payload);
        for (const uint32_t value : payload)
            ASSERT_EQ(value, round);
        word.store(0, std::memory_order_release);
    }
    host.join();
}

}  // namespace
}  // namespace virtgpu::wire
