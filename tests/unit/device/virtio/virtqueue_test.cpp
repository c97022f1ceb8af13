#include "device/virtio/virtqueue.h"

#include <gtest/gtest.h>

#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::virtio {
namespace {

using test::Driver;
using test::kGuestBase;

constexpr uint16_t kSize = 8;
constexpr uint64_t kData = kGuestBase + 0x10000;
constexpr uint64_t kTable = kGuestBase + 0x40000;

enum class Features { kNone, kEventIndex };

class VirtqueueTest : public testing::Test {
 protected:
    VirtqueueTest() { EXPECT_TRUE(memory_.add(guest_.range(), guest_.number())); }

    QueueLayout layout(Features features = Features::kNone) const {
        return {kSize,
                driver_.descriptors(),
                driver_.available(),
                driver_.used(),
                features == Features::kEventIndex,
                true};
    }
    Virtqueue queue(Features features = Features::kNone) {
        return *Virtqueue::create(layout(features), 0, memory_);
    }
    // What is taken when the driver offers descriptor 0.
    Result<std::optional<Chain>> take() {
        driver_.offer(0);
        auto taken_from = queue();
        return taken_from.take();
    }

    test::GuestFile guest_{2 << 20};
    GuestMemory memory_;
    Driver driver_{guest_, kSize, kGuestBase};
};

TEST_F(VirtqueueTest, TakesAndGivesBack) {
    auto ring = queue();
    EXPECT_FALSE(*ring.take());
    guest_.write<uint32_t>(kData, 42);
    driver_.describe(3, kData, 4, Driver::kNext, 5);
    driver_.describe(5, kData + 8, 8, Driver::kWrite);
    driver_.offer(3);
    const auto chain = *ring.take();
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->head, 3);
    EXPECT_EQ(test::number_at<uint32_t>(*read_chain(memory_, *chain, 100), 0), 42U);
    EXPECT_EQ(*write_chain(memory_, *chain, test::bytes_of(uint64_t{7}, uint64_t{8})), 8U);
    EXPECT_EQ(*ring.give_back(3, 8), Notify::kYes);
    EXPECT_EQ(driver_.used_index(), 1);
    EXPECT_EQ(driver_.used_head(0), 3U);
    EXPECT_EQ(driver_.used_length(0), 8U);
    EXPECT_EQ(guest_.read<uint64_t>(kData + 8), 7U);
    EXPECT_EQ(ring.next(), 1);
    EXPECT_FALSE(*ring.take());
}

TEST_F(VirtqueueTest, IndicesWrap) {
    auto ring = *Virtqueue::create(layout(), 65535, memory_);
    driver_.describe(0, kData, 4);
    guest_.write<uint16_t>(driver_.available() + 4 + 2 * (65535 % kSize), 0);
    driver_.set_available_index(0);
    EXPECT_TRUE(*ring.take());
    EXPECT_EQ(ring.next(), 0);
}

TEST_F(VirtqueueTest, TheDriverCanSuppressNotifications) {
    driver_.describe(0, kData, 4);
    driver_.offer(0);
    driver_.set_flags(1);
    auto ring = queue();
    ASSERT_TRUE(*ring.take());
    EXPECT_EQ(*ring.give_back(0, 0), Notify::kNo);
}

TEST_F(VirtqueueTest, EventIndexSaysWhenToNotify) {
    auto ring = queue(Features::kEventIndex);
    driver_.describe(0, kData, 4);
    driver_.set_used_event(1);
    for (int i = 0; i < 3; ++i)
        driver_.offer(0);
    while (*ring.take()) {
    }
    EXPECT_EQ(driver_.available_event(), 3);
    EXPECT_EQ(*ring.give_back(0, 0), Notify::kNo);
    EXPECT_EQ(*ring.give_back(0, 0), Notify::kYes);
    EXPECT_EQ(*ring.give_back(0, 0), Notify::kNo);
}

TEST_F(VirtqueueTest, IndirectTablesMayBeLong) {
    constexpr uint16_t kEntries = 20000;
    for (uint16_t i = 0; i < kEntries; ++i)
        driver_.describe(kTable, i, kData, 4, i + 1 < kEntries ? Driver::kNext : 0,
                         static_cast<uint16_t>(i + 1));
    driver_.describe(0, kTable, 16 * kEntries, Driver::kIndirect);
    const auto chain = take();
    ASSERT_TRUE(chain && *chain);
    EXPECT_EQ((*chain)->readable.size(), kEntries);
    EXPECT_EQ((*chain)->readable_size(), 4U * kEntries);
    EXPECT_EQ(read_chain(memory_, **chain, 100)->size(), 100U);
}

TEST_F(VirtqueueTest, LittleIsKeptForAnAnswer) {
    Chain chain;
    chain.head = 5;
    chain.readable.assign(60000, {kData, 4});
    chain.writable = {{kData, 0}, {kData + 8, 16}, {kData + 64, 0}, {kData + 96, 16}};
    chain.writable.insert(chain.writable.end(), 60000, {kData, 16});
    const Chain space = answer_space(chain, 24);
    EXPECT_EQ(space.head, 5);
    EXPECT_TRUE(space.readable.empty());
    ASSERT_EQ(space.writable.size(), 2U);
    EXPECT_EQ(space.writable[0].address, kData + 8);
    EXPECT_EQ(space.writable[1].address, kData + 96);
    EXPECT_EQ(*write_chain(memory_, space, std::vector<std::byte>(24)), 24U);
    chain.writable.assign(60000, {kData, 0});
    EXPECT_TRUE(answer_space(chain, 24).writable.empty());
}

TEST_F(VirtqueueTest, RefusesCircles) {
    driver_.describe(0, kData, 4, Driver::kNext, 1);
    driver_.describe(1, kData, 4, Driver::kNext, 0);
    EXPECT_EQ(take().error().fault(), Fault::kPeer);
    driver_.describe(kTable, 0, kData, 4, Driver::kNext, 0);
    driver_.describe(0, kTable, 64, Driver::kIndirect);
    EXPECT_FALSE(take());
}

TEST_F(VirtqueueTest, RefusesDescriptorsThatAreNotThere) {
    driver_.describe(0, kData, 4, Driver::kNext, kSize);
    EXPECT_FALSE(take());
    driver_.describe(kTable, 0, kData, 4, Driver::kNext, 1);
    driver_.describe(0, kTable, 16, Driver::kIndirect);
    EXPECT_FALSE(take());
    auto ring = queue();
    guest_.write<uint16_t>(driver_.available() + 4, kSize);
    EXPECT_FALSE(ring.take());
}

TEST_F(VirtqueueTest, RefusesBadIndirectTables) {
    for (const uint32_t bytes : {0U, 15U, 17U, 16U * 65537})
        EXPECT_FALSE((driver_.describe(0, kTable, bytes, Driver::kIndirect), take())) << bytes;
    driver_.describe(0, 0x10, 16, Driver::kIndirect);
    EXPECT_FALSE(take());
    driver_.describe(0, kTable, 16, Driver::kIndirect | Driver::kNext, 1);
    EXPECT_FALSE(take());
    driver_.describe(kTable, 0, kTable, 16, Driver::kIndirect);
    driver_.describe(0, kTable, 16, Driver::kIndirect);
    EXPECT_FALSE(take());
    auto without = layout();
    without.indirect = false;
    driver_.describe(kTable, 0, kData, 4);
    EXPECT_FALSE(Virtqueue::create(without, 0, memory_)->take());
}

TEST_F(VirtqueueTest, RefusesReadableAfterWritable) {
    driver_.describe(0, kData, 4, Driver::kWrite | Driver::kNext, 1);
    driver_.describe(1, kData, 4);
    EXPECT_FALSE(take());
}

TEST_F(VirtqueueTest, RefusesMoreRequestsThanFit) {
    driver_.set_available_index(kSize + 1);
    auto ring = queue();
    EXPECT_FALSE(ring.take());
}

TEST_F(VirtqueueTest, DataOutsideOfMemoryIsFoundWhenItIsRead) {
    driver_.describe(0, kGuestBase + (2 << 20) - 2, 4);
    const auto chain = take();
    ASSERT_TRUE(chain && *chain);
    EXPECT_FALSE(read_chain(memory_, **chain, 100));
    const Chain answer{0, {}, {{~uint64_t{0}, 4}}};
    EXPECT_FALSE(write_chain(memory_, answer, test::bytes_of(uint32_t{1})));
}

TEST_F(VirtqueueTest, RefusesLayoutsThatCannotBe) {
    const auto refused = [&](auto change) {
        auto changed = layout();
        change(changed);
        return !Virtqueue::create(changed, 0, memory_);
    };
    EXPECT_FALSE(refused([](QueueLayout&) {}));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.size = 0; }));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.size = 7; }));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.available += 1; }));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.used += 2; }));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.descriptors = 0; }));
    EXPECT_TRUE(refused([](QueueLayout& layout) { layout.used = kGuestBase + (2 << 20) - 16; }));
}

}  // namespace
}  // namespace virtgpu::virtio
