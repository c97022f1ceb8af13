#include "backend/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>

namespace virtgpu::backend {
namespace {

using std::chrono::milliseconds;

bool happens(const std::atomic<uint32_t>& value, uint32_t wanted) {
    const auto end = Watchdog::Clock::now() + std::chrono::seconds(20);
    while (value != wanted && Watchdog::Clock::now() < end)
        std::this_thread::sleep_for(milliseconds(5));
    return value == wanted;
}

TEST(Watchdog, NamesTheContextOfAGraphThatDoesNotEnd) {
    std::atomic<uint32_t> hung{0};
    Watchdog watchdog(milliseconds(20), milliseconds(20),
                      [&](uint32_t context) { hung = context; });
    { const Watchdog::Timed quick(&watchdog, 5); }
    const Watchdog::Timed graph(&watchdog, 7);
    EXPECT_TRUE(happens(hung, 7));
    EXPECT_TRUE(graph.expired());
}

TEST(Watchdog, AGraphThatStopsInTimeIsLeftAlone) {
    std::atomic<uint32_t> hung{0};
    Watchdog watchdog(milliseconds(50), std::chrono::seconds(30),
                      [&](uint32_t context) { hung = context; });
    {
        const Watchdog::Timed graph(&watchdog, 7);
        EXPECT_FALSE(graph.expired());
        std::this_thread::sleep_for(milliseconds(60));
        EXPECT_TRUE(graph.expired());
    }
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(hung.load(), 0U);
}

TEST(Watchdog, LooksAgainAfterItHasSlept) {
    std::atomic<uint32_t> hung{0};
    Watchdog watchdog(milliseconds(10), milliseconds(10),
                      [&](uint32_t context) { hung = context; });
    std::this_thread::sleep_for(milliseconds(100));
    const Watchdog::Timed graph(&watchdog, 3);
    EXPECT_TRUE(happens(hung, 3));
}

// A GPU's are waited for together.
TEST(Watchdog, EachOfSeveralGraphsMayTakeTheLimit) {
    std::atomic<uint32_t> hung{0};
    Watchdog watchdog(std::chrono::seconds(20), milliseconds(1),
                      [&](uint32_t context) { hung = context; });
    const Watchdog::Timed graphs(&watchdog, 7, 1000);
    Watchdog impatient(milliseconds(1), milliseconds(1), [&](uint32_t context) { hung = context; });
    const Watchdog::Timed long_ones(&impatient, 8, 1U << 30);
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_FALSE(graphs.expired());
    EXPECT_FALSE(long_ones.expired());
    EXPECT_EQ(hung.load(), 0U);
}

TEST(Watchdog, WithoutALimitNothingIsWatched) {
    Watchdog watchdog(milliseconds(0), milliseconds(1), [](uint32_t) { FAIL(); });
    const Watchdog::Timed graph(&watchdog, 3);
    EXPECT_FALSE(graph.expired());
    const Watchdog::Timed unwatched(nullptr, 3);
    EXPECT_FALSE(unwatched.expired());
}

}  // namespace
}  // namespace virtgpu::backend
