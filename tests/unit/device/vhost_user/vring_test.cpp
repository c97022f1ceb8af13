#include "device/vhost_user/vring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::vhost_user {
namespace {

using namespace test;

constexpr uint16_t kSize = 8;
constexpr uint64_t kData = kGuestBase + 0x10000;

// A ring whose requests are carried out when the test says so.
class VringTest : public testing::Test {
 protected:
    VringTest() {
        EXPECT_TRUE(memory_.add(guest_.range(), guest_.number()));
        EXPECT_TRUE(vring_.set_size(kSize));
        const auto vmm_address = [](uint64_t address) { return address - kGuestBase + kVmmBase; };
        SetVringAddress addresses;
        addresses.descriptors = vmm_address(driver_.descriptors());
        addresses.available = vmm_address(driver_.available());
        addresses.used = vmm_address(driver_.used());
        vring_.set_addresses(addresses);
        for (uint16_t head = 0; head < kSize; ++head)
            driver_.describe(head, kData, 4);
        EXPECT_TRUE(vring_.set_kick(FileDescriptor(::dup(kick_.number()))));
        EXPECT_TRUE(vring_.set_enabled(true));
    }
    void offer(uint16_t head) {
        driver_.offer(head);
        kick_.signal();
        settle(*loop_);
    }

    RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    GuestFile guest_{1 << 20};
    virtio::GuestMemory memory_;
    Driver driver_{guest_, kSize, kGuestBase};
    device::EventFile kick_ = *device::EventFile::create();
    std::vector<virtio::Chain> taken_;
    Vring vring_{0, memory_, *loop_, log_, [this](const virtio::Chain& chain) {
                     taken_.push_back(chain);
                     std::this_thread::sleep_for(work_);
                 }};
    std::chrono::milliseconds work_{0};
};

TEST_F(VringTest, ARequestThatComesTwiceBreaksTheQueue) {
    for (uint16_t head = 0; head < kSize; ++head)
        offer(head);
    EXPECT_EQ(taken_.size(), kSize);
    EXPECT_TRUE(vring_.running());
    offer(3);
    EXPECT_EQ(taken_.size(), kSize);
    EXPECT_FALSE(vring_.running());
    EXPECT_NE(log_.text().find("request 3 came again"), std::string::npos);
}

TEST_F(VringTest, AnAnsweredRequestMayComeAgain) {
    for (int i = 0; i < 3; ++i) {
        offer(3);
        ASSERT_EQ(taken_.size(), 1U);
        vring_.answer(taken_.front(), {});
        taken_.clear();
    }
    EXPECT_TRUE(vring_.running());
}

TEST_F(VringTest, RequestsThatTakeLongDoNotKeepOthersWaiting) {
    work_ = std::chrono::milliseconds(20);
    for (uint16_t head = 0; head < 3; ++head)
        driver_.offer(head);
    kick_.signal();
    for (size_t turn = 1; turn <= 3; ++turn) {
        ASSERT_TRUE(loop_->run_once(std::chrono::milliseconds(100)));
        EXPECT_EQ(taken_.size(), turn);
    }
}

TEST_F(VringTest, AResetForgetsWhatWasTaken) {
    offer(3);
    vring_.forget_answers();
    offer(3);
    EXPECT_EQ(taken_.size(), 2U);
    EXPECT_TRUE(vring_.running());
}

}  // namespace
}  // namespace virtgpu::vhost_user
