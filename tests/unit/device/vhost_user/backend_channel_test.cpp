#include "device/vhost_user/backend_channel.h"

#include <gtest/gtest.h>

#include "tests/unit/device/vhost_user/fake_vmm.h"

namespace virtgpu::vhost_user {
namespace {

using namespace test;

constexpr uint32_t kReply = Message::kReply;

class BackendChannelTest : public testing::Test {
 protected:
    BackendChannelTest() { EXPECT_TRUE(channel_->connect(std::move(ends_[0]))); }

    gpu::Window::Finished note(int number) {
        return [this, number](const wire::Result<void>& result) {
            finished_.push_back(result ? number : -number);
        };
    }
    void answer(const Message& request, uint64_t value) {
        EXPECT_TRUE(vmm_->send(request.request, kReply, bytes_of(value)));
        settle(*loop_);
    }
    Message next_request() {
        Message message;
        run_until(*loop_, [&] {
            auto received = vmm_->receive();
            if (!received || !*received)
                return false;
            message = std::move(**received);
            return true;
        });
        return message;
    }
    bool asked() {
        settle(*loop_);
        auto received = vmm_->receive();
        return received && *received;
    }

    RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    std::unique_ptr<BackendChannel> channel_ = *BackendChannel::create(1 << 30, *loop_, log_);
    std::array<FileDescriptor, 2> ends_ = stream_pair();
    std::unique_ptr<MessageSocket> vmm_ = std::make_unique<MessageSocket>(std::move(ends_[1]));
    device::SealedMemoryAllocator allocator_{1 << 20};
    device::SharedMemory memory_ = *allocator_.allocate(8192);
    device::SharedMemory other_ = *allocator_.allocate(4096);
    std::vector<int> finished_;
};

TEST_F(BackendChannelTest, AMappingNeedsAnAnswerAndItsMemory) {
    channel_->map(65536, memory_, note(1));
    const auto request = next_request();
    EXPECT_EQ(request.request, 9U);
    EXPECT_EQ(request.flags, 9U);
    ASSERT_EQ(request.payload.size(), 40U);
    EXPECT_EQ(number_at<uint64_t>(request.payload, 0), 1U);       // the host-visible region
    EXPECT_EQ(number_at<uint64_t>(request.payload, 8), 0U);       // in the file
    EXPECT_EQ(number_at<uint64_t>(request.payload, 16), 65536U);  // in the window
    EXPECT_EQ(number_at<uint64_t>(request.payload, 24), 8192U);
    EXPECT_EQ(number_at<uint64_t>(request.payload, 32), 1U);  // writable
    ASSERT_EQ(request.files.size(), 1U);
    EXPECT_EQ(*device::FileIdentity::of(request.files[0].number()), memory_->identity());

    answer(request, 0);
    EXPECT_TRUE(finished_.empty());
    EXPECT_TRUE(channel_->is_ours(memory_->identity()));
    EXPECT_FALSE(channel_->is_ours(other_->identity()));
    channel_->region_added(other_->identity());
    EXPECT_TRUE(finished_.empty());
    channel_->region_added(memory_->identity());
    EXPECT_EQ(finished_, std::vector{1});
    EXPECT_TRUE(channel_->is_ours(memory_->identity()));
}

TEST_F(BackendChannelTest, TheMemoryMayComeFirst) {
    channel_->map(0, memory_, note(1));
    const auto request = next_request();
    channel_->region_added(memory_->identity());
    EXPECT_TRUE(finished_.empty());
    answer(request, 0);
    EXPECT_EQ(finished_, std::vector{1});
}

TEST_F(BackendChannelTest, AVmmThatReportsNoMemoryIsNotWaitedForForever) {
    channel_->map(0, memory_, note(1));
    answer(next_request(), 0);
    run_until(*loop_, [&] { return !finished_.empty(); });
    EXPECT_EQ(finished_, std::vector{1});
}

TEST_F(BackendChannelTest, OneOperationAtATimeInOrder) {
    channel_->map(0, memory_, note(1));
    channel_->unmap(0, memory_, note(2));
    channel_->map(0, other_, note(3));
    const auto first = next_request();
    EXPECT_FALSE(asked());
    answer(first, 0);
    EXPECT_FALSE(asked());
    channel_->region_added(memory_->identity());
    const auto second = next_request();
    EXPECT_EQ(second.request, 10U);
    EXPECT_TRUE(second.files.empty());
    answer(second, 0);
    EXPECT_FALSE(channel_->is_ours(memory_->identity()));
    answer(next_request(), 1);
    EXPECT_EQ(finished_, (std::vector{1, 2, -3}));
}

TEST_F(BackendChannelTest, ForgottenOperationsAnswerNobody) {
    channel_->map(0, memory_, note(1));
    channel_->map(8192, other_, note(2));
    const auto old = next_request();
    channel_->forget_all();
    channel_->map(0, other_, note(3));
    EXPECT_FALSE(asked());
    answer(old, 0);
    answer(next_request(), 0);
    channel_->region_added(other_->identity());
    EXPECT_EQ(finished_, std::vector{3});
}

TEST_F(BackendChannelTest, ForgettingWhileTheMemoryIsAwaited) {
    channel_->map(0, memory_, note(1));
    answer(next_request(), 0);
    channel_->forget_all();
    channel_->map(0, other_, note(2));
    answer(next_request(), 0);
    channel_->region_added(other_->identity());
    EXPECT_EQ(finished_, std::vector{2});
}

TEST_F(BackendChannelTest, AClosedChannelFailsWhatIsAskedOfIt) {
    channel_->map(0, memory_, note(1));
    next_request();
    vmm_.reset();
    run_until(*loop_, [&] { return !finished_.empty(); });
    channel_->map(0, memory_, note(2));
    run_until(*loop_, [&] { return finished_.size() == 2; });
    EXPECT_EQ(finished_, (std::vector{-1, -2}));
}

TEST_F(BackendChannelTest, AnAnswerToNothingClosesTheChannel) {
    EXPECT_TRUE(vmm_->send(9, kReply, bytes_of(uint64_t{0})));
    settle(*loop_);
    EXPECT_NE(log_.text().find("not asked for"), std::string::npos);
}

}  // namespace
}  // namespace virtgpu::vhost_user
