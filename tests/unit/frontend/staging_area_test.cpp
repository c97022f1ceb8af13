#include "frontend/staging_area.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace virtgpu::frontend {
namespace {

TEST(StagingAreaTest, PiecesComeFreeInTheirOrder) {
    StagingArea area(1024);
    EXPECT_EQ(area.take(512), 0U);
    area.use_until(1);
    EXPECT_EQ(area.take(512), 512U);
    area.use_until(2);
    EXPECT_EQ(area.take(64), std::nullopt);
    EXPECT_EQ(area.oldest(), 1U);
    area.release(1);
    EXPECT_EQ(area.take(512), 0U);
    area.use_until(3);
    EXPECT_EQ(area.oldest(), 2U);
    area.release(3);
    EXPECT_EQ(area.oldest(), std::nullopt);
    EXPECT_EQ(area.take(1024), 0U);
}

TEST(StagingAreaTest, TooLargeForAll) {
    StagingArea area(1024);
    EXPECT_EQ(area.take(1025), std::nullopt);
    EXPECT_EQ(area.oldest(), std::nullopt);
}

TEST(StagingAreaTest, SeveralPiecesOfOneRequest) {
    StagingArea area(1024);
    EXPECT_TRUE(area.take(64) && area.take(64));
    EXPECT_EQ(area.oldest(), std::nullopt);
    area.use_until(7);
    EXPECT_EQ(area.oldest(), 7U);
    area.release(6);
    EXPECT_EQ(area.oldest(), 7U);
    area.release(7);
    EXPECT_EQ(area.oldest(), std::nullopt);
}

// The host writes them, and they must not be given out before they were read.
TEST(StagingAreaTest, HeldPiecesOutliveTheirRequests) {
    StagingArea area(256);
    EXPECT_EQ(area.take(64), 0U);
    EXPECT_EQ(area.take(64), 64U);
    area.release(100);
    EXPECT_EQ(area.take(64), 128U);
    EXPECT_EQ(area.take(64), 192U);
    EXPECT_EQ(area.take(64), std::nullopt);
    area.give_back();
    EXPECT_EQ(area.take(64), 0U);
    EXPECT_EQ(area.take(64), std::nullopt);
}

// Pieces in use never share a byte, whatever comes.
TEST(StagingAreaTest, NoByteIsGivenOutTwice) {
    constexpr size_t kSize = 4096;
    StagingArea area(kSize);
    std::mt19937 random(7);
    struct Piece {
        size_t begin;
        size_t size;
        uint64_t sequence;
    };
    std::vector<Piece> live;
    uint64_t sequence = 0;
    for (int i = 0; i < 20000; ++i) {
        const size_t size = 1 + random() % 1500;
        if (const auto begin = area.take(size)) {
            ASSERT_LE(*begin + size, kSize);
            for (const Piece& other : live)
                ASSERT_TRUE(*begin >= other.begin + other.size || other.begin >= *begin + size);
            live.push_back({*begin, size, ++sequence});
            area.use_until(sequence);
        } else {
            const auto oldest = area.oldest();
            ASSERT_TRUE(oldest);
            area.release(*oldest);
            std::erase_if(live, [&](const Piece& piece) { return piece.sequence <= *oldest; });
        }
    }
    EXPECT_GT(sequence, 5000U);
}

}  // namespace
}  // namespace virtgpu::frontend
