#include "device/vhost_user/message_socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/device/vhost_user/fake_vmm.h"

namespace virtgpu::vhost_user {
namespace {

class MessageSocketTest : public testing::Test {
 protected:
    void write(const std::vector<std::byte>& bytes) {
        ASSERT_EQ(::write(raw_.number(), bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
    }
    std::array<FileDescriptor, 2> ends_ = test::stream_pair();
    MessageSocket socket_{std::move(ends_[0])};
    FileDescriptor raw_ = std::move(ends_[1]);
};

TEST_F(MessageSocketTest, TakesMessagesInPieces) {
    const auto bytes = test::bytes_of(uint32_t{7}, uint32_t{1}, uint32_t{8}, uint64_t{99});
    for (size_t i = 0; i < bytes.size(); ++i) {
        const auto early = socket_.receive();
        ASSERT_TRUE(early);
        EXPECT_FALSE(*early);
        write({bytes[i]});
    }
    const auto message = socket_.receive();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->request, 7U);
    EXPECT_EQ(test::number_at<uint64_t>((*message)->payload, 0), 99U);
}

TEST_F(MessageSocketTest, DescriptorsTravelWithTheirMessage) {
    MessageSocket other(std::move(raw_));
    const std::array<int, 2> files{0, 1};
    ASSERT_TRUE(other.send(1, 0, test::bytes_of(uint64_t{1}), files));
    ASSERT_TRUE(other.send(2, 0, {}));
    const auto first = socket_.receive();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->files.size(), 2U);
    const auto second = socket_.receive();
    ASSERT_TRUE(second && *second);
    EXPECT_TRUE((*second)->files.empty());
}

TEST_F(MessageSocketTest, RefusesLongMessagesAndOtherVersions) {
    write(test::bytes_of(uint32_t{7}, uint32_t{1}, MessageSocket::kMaxPayload + 1));
    EXPECT_EQ(socket_.receive().error().fault(), wire::Fault::kPeer);
}

TEST_F(MessageSocketTest, RefusesOtherVersions) {
    write(test::bytes_of(uint32_t{7}, uint32_t{2}, uint32_t{0}));
    EXPECT_EQ(socket_.receive().error().fault(), wire::Fault::kPeer);
}

TEST_F(MessageSocketTest, SaysWhenThePeerIsGone) {
    raw_.reset();
    EXPECT_EQ(socket_.receive().error().fault(), wire::Fault::kLost);
}

}  // namespace
}  // namespace virtgpu::vhost_user
