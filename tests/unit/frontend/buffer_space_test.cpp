#include "frontend/buffer_space.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/frontend/fake_host.h"

namespace virtgpu::frontend {
namespace {

TEST(BufferSpaceTest, AddressesHaveNoMemory) {
    const BufferSpace space(AddressReservation::create(100, 256).value());
    EXPECT_NE(space.base(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(space.base()) % 256, 0U);
    EXPECT_EQ(space.region(), nullptr);
    EXPECT_EQ(space.memory(), nullptr);
}

TEST(BufferSpaceTest, ARegionsMemoryStaysWithWhoeverKeepsIt) {
    test::FakeHost host(
        [](protocol::Command, std::span<const std::byte>) { return test::RingAnswer{}; });
    const auto transport = host.make_transport();
    std::shared_ptr<wire::Region> kept;
    {
        auto region = transport->create_region(4096).value();
        const uint32_t number = region->number();
        const BufferSpace space(std::move(region));
        EXPECT_EQ(space.base(), space.memory()->bulk(0, 1)->data());
        EXPECT_EQ(space.memory(), host.region(number));
        EXPECT_EQ(space.region()->number(), number);
        kept = space.memory();
    }
    EXPECT_EQ(kept.use_count(), 1) << "the region was given back";
    std::memset(kept->bulk(0, 4096)->data(), 1, 4096);
}

}  // namespace
}  // namespace virtgpu::frontend
