#include "device/gpu/host_visible_memory.h"

#include <gtest/gtest.h>

#include "tests/unit/device/gpu/fake_window.h"

namespace virtgpu::gpu {
namespace {

constexpr uint64_t kPage = 4096;

class HostVisibleMemoryTest : public testing::Test {
 protected:
    bool can_claim(uint64_t offset, uint64_t size) {
        return memory_.claim(offset, size).has_value();
    }
    void when_visible(int number) {
        memory_.when_visible([this, number](const wire::Result<void>& result) {
            seen_.push_back(result ? number : -number);
        });
    }
    const std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    test::FakeWindow window_;
    HostVisibleMemory memory_{window_, *device::PageSupply::create(*loop_)};
    std::vector<int> seen_;
};

TEST_F(HostVisibleMemoryTest, PlacesMustNotOverlap) {
    const auto held = memory_.claim(4 * kPage, 2 * kPage);
    ASSERT_TRUE(held);
    EXPECT_EQ((*held)->offset(), 4 * kPage);
    EXPECT_FALSE(can_claim(3 * kPage, 2 * kPage));
    EXPECT_FALSE(can_claim(4 * kPage, 2 * kPage));
    EXPECT_FALSE(can_claim(5 * kPage, kPage));
    EXPECT_FALSE(can_claim(0, 16 * kPage));
    EXPECT_TRUE(can_claim(6 * kPage, kPage));
    EXPECT_TRUE(can_claim(3 * kPage, kPage));
}

TEST_F(HostVisibleMemoryTest, PlacesMustLieInTheWindow) {
    const uint64_t end = window_.size();
    EXPECT_FALSE(can_claim(end - kPage, 2 * kPage));
    EXPECT_FALSE(can_claim(end, kPage));
    EXPECT_FALSE(can_claim(end + kPage, kPage));
    EXPECT_FALSE(can_claim(~uint64_t{0} - kPage + 1, kPage));
    EXPECT_FALSE(can_claim(0, ~uint64_t{0}));
    EXPECT_FALSE(can_claim(100, kPage));
    EXPECT_FALSE(can_claim(0, 100));
    EXPECT_FALSE(can_claim(0, 0));
    EXPECT_TRUE(can_claim(end - kPage, kPage));
}

TEST_F(HostVisibleMemoryTest, APlaceIsFreeWhenItsLastUserIsGone) {
    auto held = *memory_.claim(0, kPage);
    device::SharedMemory worker = held;
    int freed = 0;
    held.reset();
    memory_.when_free(0, [&] { ++freed; });
    EXPECT_EQ(freed, 0);
    EXPECT_FALSE(can_claim(0, kPage));
    worker.reset();
    EXPECT_EQ(freed, 1);
    EXPECT_TRUE(can_claim(0, kPage));
    memory_.when_free(0, [&] { ++freed; });
    EXPECT_EQ(freed, 2);
}

TEST_F(HostVisibleMemoryTest, TheWindowIsMappedOnce) {
    const auto held = memory_.claim(0, kPage);
    when_visible(1);
    when_visible(2);
    EXPECT_TRUE(seen_.empty());
    EXPECT_EQ(window_.maps, 1);
    window_.finish({});
    EXPECT_EQ(seen_, (std::vector{1, 2}));
    when_visible(3);
    EXPECT_EQ(seen_, (std::vector{1, 2, 3}));
    EXPECT_EQ(window_.maps, 1);
}

TEST_F(HostVisibleMemoryTest, AFailedMappingIsTriedAgain) {
    const auto held = memory_.claim(0, kPage);
    when_visible(1);
    window_.finish(wire::fail(wire::Fault::kRefused, "no"));
    when_visible(2);
    window_.finish({});
    EXPECT_EQ(seen_, (std::vector{-1, 2}));
}

TEST_F(HostVisibleMemoryTest, AResetGivesOtherMemory) {
    const auto old = *memory_.claim(0, kPage);
    memory_.when_free(0, [] { FAIL() << "the guest that waits is gone"; });
    when_visible(1);
    memory_.reset();
    const auto current = memory_.claim(0, kPage);
    ASSERT_TRUE(current);
    EXPECT_NE(old->file(), (*current)->file());
    when_visible(2);
    window_.finish({});
    EXPECT_EQ(seen_, std::vector{2});
}

}  // namespace
}  // namespace virtgpu::gpu
