#include "frontend/transport/socket_transport.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

namespace virtgpu::frontend {
namespace {

using protocol::ContainerMessage;
using std::chrono::milliseconds;
using wire::FileDescriptor;

FileDescriptor make_memory(size_t size, int seals) {
    FileDescriptor file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(file.number(), static_cast<off_t>(size)), 0);
    EXPECT_EQ(::fcntl(file.number(), F_ADD_SEALS, seals), 0);
    return file;
}

class SocketTransportTest : public testing::Test {
 protected:
    SocketTransportTest() {
        auto ends = wire::PacketSocket::make_pair();
        host_ = std::make_unique<wire::PacketSocket>(std::move(ends->first));
        transport_ = std::make_unique<SocketTransport>(std::move(ends->second));
    }

    // Answers one question in a thread of its own.
    template <typename Reply>
    std::jthread answer(const Reply& reply, std::vector<int> files) {
        return std::jthread([this, reply, files] {
            auto packet = host_->receive(std::chrono::seconds(2));
            ASSERT_TRUE(packet && *packet);
            wire::Writer message;
            std::memcpy(message.extend(8), (*packet)->bytes.data(), 8);
            ASSERT_TRUE(encode(message, reply));
            ASSERT_TRUE(host_->send(message.bytes(), files));
        });
    }

    std::unique_ptr<wire::PacketSocket> host_;
    std::unique_ptr<SocketTransport> transport_;
};

TEST_F(SocketTransportTest, RegionIsSharedAndGivenBack) {
    const FileDescriptor memory = make_memory(8192, F_SEAL_SHRINK | F_SEAL_GROW);
    {
        auto thread = answer(protocol::ContainerCreateRegionReply{5, 8192}, {memory.number()});
        const auto region = transport_->create_region(5000);
        ASSERT_TRUE(region) << region.error().message();
        EXPECT_EQ((*region)->number(), 5U);
        const std::array<std::byte, 3> mark = {std::byte{1}, std::byte{2}, std::byte{3}};
        ASSERT_TRUE((*region)->memory()->copy_in(4999, mark));
        std::array<std::byte, 3> seen{};
        ASSERT_EQ(::pread(memory.number(), seen.data(), 3, 4999), 3);
        EXPECT_EQ(seen, mark);
    }
    auto destroyed = host_->receive(milliseconds(1000));
    ASSERT_TRUE(destroyed && *destroyed);
    uint32_t id = 0;
    std::memcpy(&id, (*destroyed)->bytes.data(), 4);
    EXPECT_EQ(id, static_cast<uint32_t>(ContainerMessage::kDestroyRegion));
}

TEST_F(SocketTransportTest, MemoryThatCouldShrinkIsRefused) {
    const FileDescriptor memory = make_memory(8192, F_SEAL_GROW);
    auto thread = answer(protocol::ContainerCreateRegionReply{5, 8192}, {memory.number()});
    EXPECT_FALSE(transport_->create_region(5000));
}

TEST_F(SocketTransportTest, MemorySmallerThanSaidIsRefused) {
    const FileDescriptor memory = make_memory(4096, F_SEAL_SHRINK);
    auto thread = answer(protocol::ContainerCreateRegionReply{5, 8192}, {memory.number()});
    EXPECT_FALSE(transport_->create_region(5000));
}

TEST_F(SocketTransportTest, HostMayRefuseARegion) {
    auto thread = answer(protocol::ContainerCreateRegionReply{0, 0}, {});
    const auto region = transport_->create_region(5000);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().fault(), wire::Fault::kRefused);
}

// Upstream's frontend keeps its device open until the process ends.
TEST_F(SocketTransportTest, Upstream5511TheConnectionEndsWithItsTransport) {
    ASSERT_FALSE(*host_->receive(milliseconds(1))) << "nothing is said yet";
    transport_.reset();
    const auto after = host_->receive(milliseconds(1000));
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().fault(), wire::Fault::kLost);
}

class SignalsTest : public SocketTransportTest {
 protected:
    SignalsTest() {
        auto thread =
            answer(protocol::ContainerGetRingEventsReply{}, {doorbell_.number(), done_.number()});
        EXPECT_TRUE(transport_->open_signals(3));
    }

    FileDescriptor doorbell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    FileDescriptor done_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

TEST_F(SignalsTest, DoorbellAndCompletionAreEvents) {
    ASSERT_TRUE(transport_->doorbell(3));
    uint64_t count = 0;
    EXPECT_EQ(::read(doorbell_.number(), &count, 8), 8);

    ASSERT_EQ(::eventfd_write(done_.number(), 1), 0);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(transport_->wait(3, milliseconds(2000)));
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1000));
    // Taken: the next wait sleeps.
    EXPECT_TRUE(transport_->wait(3, milliseconds(30)));
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(30));
}

TEST_F(SignalsTest, HangUpEndsTheWait) {
    EXPECT_TRUE(transport_->connected());
    std::jthread thread([this] {
        std::this_thread::sleep_for(milliseconds(50));
        host_.reset();
    });
    const auto waited = transport_->wait(3, milliseconds(5000));
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().fault(), wire::Fault::kLost);
    EXPECT_FALSE(transport_->connected());
}

TEST_F(SignalsTest, ForkedChildTouchesNothing) {
    const pid_t child = ::fork();
    if (child == 0) {
        const std::array<std::byte, 4> command{};
        const bool silent = !transport_->submit(command) && !transport_->doorbell(3) &&
                            !transport_->wait(3, milliseconds(10)) &&
                            !transport_->create_region(10);
        ::_exit(silent ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    const auto packet = host_->receive(milliseconds(20));
    ASSERT_TRUE(packet);
    EXPECT_FALSE(*packet);
}

TEST(SocketTransportConnectTest, MissingSocketIsNamed) {
    const auto transport = SocketTransport::connect("/nonexistent/socket");
    ASSERT_FALSE(transport);
    EXPECT_THAT(transport.error().message(), testing::HasSubstr("/nonexistent/socket"));
}

}  // namespace
}  // namespace virtgpu::frontend
