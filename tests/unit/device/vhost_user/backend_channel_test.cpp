#include "device/vhost_user/backend_channel.h"

#include <gtest/gtest.h>

#include "tests/unit/device/vhost_user/fake_vmm.h"

namespace virtgpu::vhost_user {
namespace {

using namespace test;

using Reported = BackendChannel::WindowReported;

constexpr uint32_t kReply = Message::kReply;
constexpr uint64_t kWindow = 1 << 30;

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
    std::unique_ptr<BackendChannel> channel_ = *BackendChannel::create(kWindow, *loop_, log_);
    std::array<FileDescriptor, 2> ends_ = stream_pair();
    std::unique_ptr<MessageSocket> vmm_ = std::make_unique<MessageSocket>(std::move(ends_[1]));
    std::shared_ptr<const device::SealedFile> file_ = *device::SealedFile::create(kWindow);
    std::shared_ptr<const device::SealedFile> other_ = *device::SealedFile::create(kWindow);
    std::vector<int> finished_;
};

TEST_F(BackendChannelTest, AMappingNeedsAnAnswerAndAReport) {
    channel_->map(file_, note(1));
    const auto request = next_request();
    EXPECT_EQ(request.request, 9U);
    EXPECT_EQ(request.flags, 9U);
    ASSERT_EQ(request.payload.size(), 40U);
    EXPECT_EQ(number_at<uint64_t>(request.payload, 0), 1U);   // the host-visible region
    EXPECT_EQ(number_at<uint64_t>(request.payload, 8), 0U);   // in the file
    EXPECT_EQ(number_at<uint64_t>(request.payload, 16), 0U);  // in the window
    EXPECT_EQ(number_at<uint64_t>(request.payload, 24), kWindow);
    EXPECT_EQ(number_at<uint64_t>(request.payload, 32), 1U);  // writable
    ASSERT_EQ(request.files.size(), 1U);
    EXPECT_EQ(*device::FileIdentity::of(request.files[0].number()), file_->identity());
    EXPECT_TRUE(channel_->is_ours(file_->identity()));
    EXPECT_FALSE(channel_->is_ours(other_->identity()));

    answer(request, 0);
    EXPECT_FALSE(channel_->was_dropped(Reported::kNo));
    EXPECT_TRUE(finished_.empty());
    EXPECT_FALSE(channel_->was_dropped(Reported::kYes));
    EXPECT_EQ(finished_, std::vector{1});
}

TEST_F(BackendChannelTest, TheReportMayComeFirst) {
    channel_->map(file_, note(1));
    const auto request = next_request();
    channel_->was_dropped(Reported::kYes);
    EXPECT_TRUE(finished_.empty());
    answer(request, 0);
    EXPECT_EQ(finished_, std::vector{1});
}

TEST_F(BackendChannelTest, AVmmThatReportsNothingIsNotWaitedForForever) {
    channel_->map(file_, note(1));
    answer(next_request(), 0);
    run_until(*loop_, [&] { return !finished_.empty(); });
    EXPECT_EQ(finished_, std::vector{1});
    EXPECT_FALSE(channel_->was_dropped(Reported::kNo));  // it never says more
}

TEST_F(BackendChannelTest, ARefusalIsPassedOn) {
    channel_->map(file_, note(1));
    answer(next_request(), 1);
    EXPECT_EQ(finished_, std::vector{-1});
}

TEST_F(BackendChannelTest, MemoryWithoutTheWindowTellsOfAReset) {
    channel_->map(file_, note(1));
    answer(next_request(), 0);
    channel_->was_dropped(Reported::kYes);
    EXPECT_FALSE(channel_->was_dropped(Reported::kYes));
    EXPECT_TRUE(channel_->was_dropped(Reported::kNo));
}

TEST_F(BackendChannelTest, ForgottenMappingsAnswerNobody) {
    channel_->map(file_, note(1));
    const auto old = next_request();
    channel_->forget();
    EXPECT_FALSE(channel_->is_ours(file_->identity()));
    channel_->map(other_, note(2));
    EXPECT_FALSE(asked());
    answer(old, 0);
    answer(next_request(), 0);
    channel_->was_dropped(Reported::kYes);
    EXPECT_EQ(finished_, std::vector{2});
}

TEST_F(BackendChannelTest, ForgettingWhileTheReportIsAwaited) {
    channel_->map(file_, note(1));
    answer(next_request(), 0);
    channel_->forget();
    channel_->map(other_, note(2));
    answer(next_request(), 0);
    channel_->was_dropped(Reported::kYes);
    EXPECT_EQ(finished_, std::vector{2});
}

TEST_F(BackendChannelTest, AClosedChannelFailsWhatIsAskedOfIt) {
    channel_->map(file_, note(1));
    next_request();
    vmm_.reset();
    run_until(*loop_, [&] { return !finished_.empty(); });
    channel_->map(file_, note(2));
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
