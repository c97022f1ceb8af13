#include "frontend/address_reservation.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace virtgpu::frontend {
namespace {

uintptr_t address(const AddressReservation& reservation) {
    return reinterpret_cast<uintptr_t>(reservation.base());
}

TEST(AddressReservationTest, IsUniqueAndAligned) {
    constexpr size_t kSize = 1000;
    for (const size_t alignment : {size_t{1}, size_t{32}, size_t{4096}, size_t{1} << 21}) {
        const auto first = AddressReservation::create(kSize, alignment);
        const auto second = AddressReservation::create(kSize, alignment);
        ASSERT_TRUE(first && second);
        EXPECT_EQ(address(*first) % alignment, 0U);
        EXPECT_EQ(address(*second) % alignment, 0U);
        const uintptr_t distance = address(*first) > address(*second)
                                       ? address(*first) - address(*second)
                                       : address(*second) - address(*first);
        EXPECT_GE(distance, kSize);
    }
}

TEST(AddressReservationTest, NothingIsAnAddressToo) {
    const auto reservation = AddressReservation::create(0, 32);
    ASSERT_TRUE(reservation);
    EXPECT_NE(reservation->base(), nullptr);
}

TEST(AddressReservationTest, NeedsNoMemory) {
    EXPECT_TRUE(AddressReservation::create(size_t{1} << 40, 4096));
}

TEST(AddressReservationTest, ImpossibleSizesAreRefused) {
    EXPECT_FALSE(AddressReservation::create(SIZE_MAX, 32));
    EXPECT_FALSE(AddressReservation::create(SIZE_MAX - 4096, 4096));
    EXPECT_FALSE(AddressReservation::create(size_t{1} << 62, 4096));
    EXPECT_FALSE(AddressReservation::create(100, 0));
    EXPECT_FALSE(AddressReservation::create(100, 48));
}

TEST(AddressReservationDeathTest, StrayAccessFaults) {
    const auto reservation = AddressReservation::create(4096, 32);
    ASSERT_TRUE(reservation);
    EXPECT_DEATH(*static_cast<volatile char*>(reservation->base()) = 1, "");
}

}  // namespace
}  // namespace virtgpu::frontend
