#include "device/gpu/resources.h"

#include <gtest/gtest.h>

#include "device/limits.h"

namespace virtgpu::gpu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kWindow = 1 << 20;

TEST(Resources, NumbersAreUnique) {
    Resources resources(kWindow);
    EXPECT_TRUE(resources.add_host_blob(1, kPage));
    EXPECT_FALSE(resources.add_host_blob(1, kPage));
    EXPECT_FALSE(resources.add_guest_blob(1, {}));
    EXPECT_FALSE(resources.add_guest_blob(0, {}));
    resources.remove(1);
    EXPECT_TRUE(resources.add_guest_blob(1, {}));
    EXPECT_EQ(resources.find_host_blob(1), nullptr);
}

TEST(Resources, MemoryIsLimited) {
    Resources resources(2 * kPage);
    EXPECT_TRUE(resources.add_host_blob(1, 2 * kPage));
    EXPECT_EQ(resources.add_host_blob(2, 1).error().fault(), wire::Fault::kRefused);
    resources.remove(1);
    EXPECT_TRUE(resources.add_host_blob(2, 1));
}

TEST(Resources, PageListsAreLimited) {
    Resources resources(kWindow);
    const std::vector<PageRun> half(device::kMaxGuestBlobPages / 2);
    EXPECT_TRUE(resources.add_guest_blob(1, half));
    EXPECT_TRUE(resources.add_guest_blob(2, half));
    EXPECT_FALSE(resources.add_guest_blob(3, {PageRun{}}));
    resources.remove(1);
    EXPECT_TRUE(resources.add_guest_blob(3, {PageRun{}}));
}

class PlacingTest : public testing::Test {
 protected:
    HostBlob& blob(uint32_t number, uint64_t size = kPage) {
        EXPECT_TRUE(resources_.add_host_blob(number, size));
        return *resources_.find_host_blob(number);
    }
    bool place(HostBlob& blob, uint64_t offset) {
        return resources_.place(blob, offset, kWindow).has_value();
    }
    Resources resources_{uint64_t{64} << 20};
};

TEST_F(PlacingTest, PlacesMustNotOverlap) {
    ASSERT_TRUE(place(blob(1, 2 * kPage), 4 * kPage));
    HostBlob& other = blob(2, 2 * kPage);
    EXPECT_FALSE(place(other, 3 * kPage));
    EXPECT_FALSE(place(other, 4 * kPage));
    EXPECT_FALSE(place(other, 5 * kPage));
    EXPECT_TRUE(place(other, 6 * kPage));
    EXPECT_TRUE(place(blob(3, 2 * kPage), 2 * kPage));
}

TEST_F(PlacingTest, PlacesMustLieInTheWindow) {
    HostBlob& one = blob(1, 2 * kPage);
    EXPECT_FALSE(place(one, kWindow - kPage));
    EXPECT_FALSE(place(one, kWindow + kPage));
    EXPECT_FALSE(place(one, ~uint64_t{0} - kPage + 1));
    EXPECT_FALSE(place(one, 100));
    EXPECT_TRUE(place(one, kWindow - 2 * kPage));
    EXPECT_FALSE(place(one, 0));  // once only
    EXPECT_EQ(resources_.displace(one), kWindow - 2 * kPage);
    EXPECT_TRUE(place(one, 0));
}

TEST(Resources, MappingsStayUnderTheVmmsLimit) {
    Resources resources(uint64_t{64} << 20);
    constexpr uint64_t kLargeWindow = uint64_t{64} << 20;
    const auto place = [&](uint32_t number) {
        EXPECT_TRUE(resources.add_host_blob(number, kPage));
        return resources.place(*resources.find_host_blob(number), number * kPage, kLargeWindow)
            .has_value();
    };
    for (uint32_t number = 1; number <= device::kMaxLiveMappings; ++number)
        ASSERT_TRUE(place(number));
    EXPECT_FALSE(place(device::kMaxLiveMappings + 1));
}

TEST(Resources, ForgetsContextsThatAreGone) {
    Resources resources(1 << 20);
    ASSERT_TRUE(resources.add_host_blob(1, 4096));
    ASSERT_TRUE(resources.add_guest_blob(2, {}));
    for (uint32_t context = 1; context <= 1000; ++context) {
        for (const uint32_t number : {1U, 2U})
            resources.find(number)->contexts.insert(context);
        if (context != 7)
            resources.forget_context(context);
    }
    for (const uint32_t number : {1U, 2U})
        EXPECT_EQ(resources.find(number)->contexts, std::set<uint32_t>{7});
}

TEST(Resources, RefusesHostBlobsThatTakeTooLongToMake) {
    Resources resources(4 * device::kMaxRegionBytes);
    EXPECT_EQ(resources.add_host_blob(1, device::kMaxRegionBytes + 1).error().fault(),
              wire::Fault::kRefused);
    EXPECT_EQ(resources.find(1), nullptr);
}

}  // namespace
}  // namespace virtgpu::gpu
