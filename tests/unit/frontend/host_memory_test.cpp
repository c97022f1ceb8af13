#include "frontend/host_memory.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/frontend/fake_host.h"

namespace virtgpu::frontend {
namespace {

class HostMemoryTest : public testing::Test {
 protected:
    static constexpr size_t kPage = 4096;

    test::FakeHost host_{
        [](protocol::Command, std::span<const std::byte>) { return test::RingAnswer{}; }};
    std::unique_ptr<Transport> transport_ = host_.make_transport();
    HostMemory memory_{*transport_};
};

TEST_F(HostMemoryTest, TheHostSeesWhatIsWritten) {
    std::byte* const base = memory_.allocate(kPage).value();
    std::memset(base + 100, 7, 20);
    const auto span = memory_.find({base + 100, 20});
    ASSERT_TRUE(span);
    EXPECT_EQ(span->offset, 100U);
    EXPECT_EQ(span->size, 20U);
    std::array<std::byte, 20> seen{};
    ASSERT_TRUE(host_.region(span->region)->copy_out(span->offset, seen));
    EXPECT_EQ(seen[0], std::byte{7});
    EXPECT_EQ(seen[19], std::byte{7});
}

TEST_F(HostMemoryTest, FindsOnlyWhatIsInOnePieceOfIt) {
    std::vector<std::byte> elsewhere(16);
    EXPECT_FALSE(memory_.find(elsewhere)) << "there is none yet";
    std::byte* const base = memory_.allocate(kPage).value();
    EXPECT_TRUE(memory_.find({base, kPage}));
    EXPECT_TRUE(memory_.find({base + kPage - 1, 1}));
    EXPECT_FALSE(memory_.find({base, kPage + 1}));
    EXPECT_FALSE(memory_.find({base + kPage - 1, 2}));
    EXPECT_FALSE(memory_.find({base - 1, 2}));
    EXPECT_FALSE(memory_.find({base + kPage + 1, 1}));
    EXPECT_FALSE(memory_.find(elsewhere));
}

TEST_F(HostMemoryTest, TellsPiecesApart) {
    const std::array<std::byte*, 3> bases{memory_.allocate(kPage).value(),
                                          memory_.allocate(kPage).value(),
                                          memory_.allocate(kPage).value()};
    for (std::byte* const base : bases) {
        const auto span = memory_.find({base + 8, 8});
        ASSERT_TRUE(span);
        EXPECT_EQ(host_.region(span->region)->bulk(8, 8)->data(), base + 8);
    }
    memory_.free(bases[1]);
    EXPECT_TRUE(memory_.find({bases[0], 8}));
    EXPECT_FALSE(memory_.find({bases[1], 8}));
    EXPECT_TRUE(memory_.find({bases[2], 8}));
}

TEST_F(HostMemoryTest, WhatIsFreedIsGivenBack) {
    std::byte* const base = memory_.allocate(kPage).value();
    const uint32_t region = memory_.find({base, 1})->region;
    memory_.free(base + 1);
    EXPECT_TRUE(host_.region(region)) << "that was no piece's beginning";
    memory_.free(base);
    EXPECT_THROW(host_.region(region), std::out_of_range);
}

TEST_F(HostMemoryTest, AHostWithoutRegionsRefuses) {
    host_.largest_region = kPage;
    const auto refused = memory_.allocate(kPage + 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), wire::Fault::kRefused);
    EXPECT_TRUE(memory_.allocate(kPage));
}

}  // namespace
}  // namespace virtgpu::frontend
