#include "device/virtio/guest_memory.h"

#include <gtest/gtest.h>

#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::virtio {
namespace {

using test::GuestFile;
using test::kGuestBase;
using test::kVmmBase;

constexpr uint64_t kSize = 65536;

class GuestMemoryTest : public testing::Test {
 protected:
    bool readable(uint64_t address, uint64_t size) {
        return memory_.check(address, size).has_value();
    }
    GuestFile guest_{kSize};
    GuestMemory memory_;
};

TEST_F(GuestMemoryTest, ReadsAndWritesTheGuestsBytes) {
    ASSERT_TRUE(memory_.add(guest_.range(), guest_.number()));
    guest_.write<uint32_t>(kGuestBase + 100, 0x12345678);
    std::vector<std::byte> bytes(4);
    ASSERT_TRUE(memory_.copy_out(kGuestBase + 100, bytes));
    EXPECT_EQ(test::number_at<uint32_t>(bytes, 0), 0x12345678U);
    ASSERT_TRUE(memory_.copy_in(kGuestBase + kSize - 4, bytes));
    EXPECT_EQ(guest_.read<uint32_t>(kGuestBase + kSize - 4), 0x12345678U);
    EXPECT_EQ(*memory_.from_vmm(kVmmBase + 100), kGuestBase + 100);
}

TEST_F(GuestMemoryTest, RefusesWhatIsNotThere) {
    ASSERT_TRUE(memory_.add(guest_.range(), guest_.number()));
    EXPECT_FALSE(readable(kGuestBase - 1, 2));
    EXPECT_FALSE(readable(kGuestBase + kSize - 1, 2));
    EXPECT_FALSE(readable(kGuestBase + kSize, 1));
    EXPECT_FALSE(readable(kGuestBase + 1, ~uint64_t{0}));
    EXPECT_FALSE(readable(~uint64_t{0}, 1));
    EXPECT_FALSE(memory_.from_vmm(kVmmBase + kSize));
    EXPECT_FALSE(memory_.from_vmm(kGuestBase));
}

TEST_F(GuestMemoryTest, RefusesRangesThatCannotBe) {
    auto outside_file = guest_.range();
    outside_file.size = 2 * kSize;
    EXPECT_FALSE(memory_.add(outside_file, guest_.number()));
    auto wrapping = guest_.range();
    wrapping.guest_address = ~uint64_t{0} - 15;
    EXPECT_FALSE(memory_.add(wrapping, guest_.number()));
    auto empty = guest_.range();
    empty.size = 0;
    EXPECT_FALSE(memory_.add(empty, guest_.number()));
    auto misaligned = guest_.range();
    misaligned.guest_address += 1;
    misaligned.size -= 1;
    EXPECT_FALSE(memory_.add(misaligned, guest_.number()));
    ASSERT_TRUE(memory_.add(guest_.range(), guest_.number()));
    EXPECT_FALSE(memory_.add(guest_.range(), guest_.number()));
}

TEST_F(GuestMemoryTest, RangesComeAndGo) {
    ASSERT_TRUE(memory_.add(guest_.range(), guest_.number()));
    memory_.clear();
    EXPECT_FALSE(readable(kGuestBase, 1));
    auto second_half = guest_.range();
    second_half.size = kSize / 2;
    second_half.file_offset = kSize / 2;
    ASSERT_TRUE(memory_.add(second_half, guest_.number()));
    guest_.write<uint16_t>(kGuestBase + kSize / 2, 77);
    EXPECT_EQ(*memory_.load(kGuestBase, std::memory_order_acquire), 77);
}

TEST_F(GuestMemoryTest, OurOwnMemoryIsNoGuestMemory) {
    ASSERT_TRUE(memory_.add_unusable(guest_.range()));
    EXPECT_FALSE(readable(kGuestBase, 1));
    EXPECT_FALSE(memory_.from_vmm(kVmmBase));
    EXPECT_FALSE(memory_.add(guest_.range(), guest_.number()));
}

}  // namespace
}  // namespace virtgpu::virtio
