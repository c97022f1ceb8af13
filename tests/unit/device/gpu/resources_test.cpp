#include "device/gpu/resources.h"

#include <gtest/gtest.h>

#include "device/limits.h"
#include "protocol/generated/structures.h"

namespace virtgpu::gpu {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kWindow = 1 << 20;

TEST(Resources, NumbersAreUnique) {
    Resources resources(kWindow);
    EXPECT_TRUE(resources.add_host_blob(1, kPage));
    EXPECT_FALSE(resources.add_host_blob(1, kPage));
    EXPECT_FALSE(resources.add_guest_resource(1));
    EXPECT_FALSE(resources.add_guest_resource(0));
    resources.remove(1);
    EXPECT_TRUE(resources.add_guest_resource(1));
    EXPECT_EQ(resources.find_host_blob(1), nullptr);
}

TEST(Resources, SizesAreLimitedAndWholePages) {
    Resources resources(2 * kPage);
    EXPECT_TRUE(resources.add_host_blob(1, kPage + 1));
    EXPECT_EQ(resources.find_host_blob(1)->size, 2 * kPage);
    EXPECT_EQ(resources.add_host_blob(2, 2 * kPage + 1).error().fault(), wire::Fault::kRefused);
    EXPECT_FALSE(resources.add_host_blob(2, 0));
}

TEST(Resources, HostBlobsAreCounted) {
    Resources resources(kWindow);
    for (uint32_t number = 1; number <= device::TenantLimits().regions; ++number)
        ASSERT_TRUE(resources.add_host_blob(number, kPage));
    EXPECT_FALSE(resources.add_host_blob(9999, kPage));
    EXPECT_TRUE(resources.add_guest_resource(9999));
}

TEST(Resources, GuestResourcesAreCounted) {
    Resources resources(kWindow);
    for (uint32_t number = 1; number <= device::kMaxGuestResources; ++number)
        ASSERT_TRUE(resources.add_guest_resource(number));
    EXPECT_FALSE(resources.add_guest_resource(9999));
    resources.remove(1);
    EXPECT_TRUE(resources.add_guest_resource(9999));
}

TEST(Resources, ForgetsContextsThatAreGone) {
    Resources resources(1 << 20);
    ASSERT_TRUE(resources.add_host_blob(1, 4096));
    ASSERT_TRUE(resources.add_guest_resource(2));
    for (uint32_t context = 1; context <= 1000; ++context) {
        for (const uint32_t number : {1U, 2U})
            resources.find(number)->contexts.insert(context);
        if (context != 7)
            resources.forget_context(context);
    }
    for (const uint32_t number : {1U, 2U})
        EXPECT_EQ(resources.find(number)->contexts, std::set<uint32_t>{7});
}

}  // namespace
}  // namespace virtgpu::gpu
