#include "device/container/endpoint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/device/level1.h"

namespace virtgpu::container {
namespace {

using namespace test;
using protocol::ContainerMessage;
using protocol::OpenStatus;

class ContainerTest : public testing::Test {
 protected:
    void start(const std::string& behaviour) {
        launcher_ = launcher_of(behaviour);
        renderer_ = std::make_unique<apir::Renderer>(
            *launcher_, apir::RendererOptions{apir::Waiter::kClient}, *loop_, log_);
        auto [ours, theirs] = *wire::PacketSocket::make_pair();
        client_ = std::make_unique<wire::PacketSocket>(std::move(ours));
        endpoint_ = *Endpoint::create(std::move(theirs), *renderer_, kLimit, *loop_, log_,
                                      [this] { closed_ = true; });
    }
    void send(ContainerMessage id, const std::vector<std::byte>& fields,
              std::span<const int> files = {}) {
        const auto header = bytes_of(static_cast<uint32_t>(id), ++serial_);
        ASSERT_TRUE(client_->send(joined(header, fields), files));
        settle(*loop_);
    }
    wire::Packet receive() {
        wire::Packet packet;
        run_until(*loop_, [&] {
            auto received = client_->receive(std::chrono::milliseconds(0));
            if (!received || !*received)
                return false;
            packet = std::move(**received);
            return true;
        });
        EXPECT_EQ(number_at<uint32_t>(packet.bytes, 4), serial_);
        return packet;
    }
    wire::Packet ask(ContainerMessage id, const std::vector<std::byte>& fields) {
        send(id, fields);
        return receive();
    }
    void submit(const std::vector<std::byte>& command) {
        send(ContainerMessage::kSubmit,
             joined(bytes_of(static_cast<uint32_t>(command.size() / 4)), command));
    }
    // A region of ours, mapped by the client as its reply page.
    std::unique_ptr<wire::Packet> make_region(uint64_t size) {
        return std::make_unique<wire::Packet>(ask(ContainerMessage::kCreateRegion, bytes_of(size)));
    }

    static constexpr uint64_t kLimit = 1 << 20;
    RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    std::unique_ptr<apir::WorkerLauncher> launcher_;
    std::unique_ptr<apir::Renderer> renderer_;
    std::unique_ptr<wire::PacketSocket> client_;
    std::unique_ptr<Endpoint> endpoint_;
    uint32_t serial_ = 0;
    bool closed_ = false;
};

TEST_F(ContainerTest, HandsOutSealedRegions) {
    start("echo");
    const auto reply = ask(ContainerMessage::kCreateRegion, bytes_of(uint64_t{5000}));
    EXPECT_EQ(number_at<uint32_t>(reply.bytes, 8), 1U);
    EXPECT_EQ(number_at<uint64_t>(reply.bytes, 12), 8192U);
    ASSERT_EQ(reply.files.size(), 1U);
    const auto next = ask(ContainerMessage::kCreateRegion, bytes_of(uint64_t{1}));
    EXPECT_EQ(number_at<uint32_t>(next.bytes, 8), 2U);
}

TEST_F(ContainerTest, RefusesRegionsOverTheLimit) {
    start("echo");
    const auto reply = ask(ContainerMessage::kCreateRegion, bytes_of(kLimit + 1));
    EXPECT_EQ(number_at<uint32_t>(reply.bytes, 8), 0U);
    EXPECT_TRUE(reply.files.empty());
    make_region(kLimit);
    EXPECT_EQ(number_at<uint32_t>(make_region(1)->bytes, 8), 0U);
    send(ContainerMessage::kDestroyRegion, bytes_of(uint32_t{1}));
    EXPECT_EQ(number_at<uint32_t>(make_region(1)->bytes, 8), 2U);
}

TEST_F(ContainerTest, ServesARingWhoseEventfdsTheClientHolds) {
    start("echo");
    const auto page = make_region(4096);
    make_region(16384);
    const auto region = *wire::map_region(page->files[0].number(), 4096);
    const auto reply_code = [&] {
        std::vector<std::byte> bytes(8);
        run_until(*loop_, [&] {
            EXPECT_TRUE(region->copy_out(0, bytes));
            return number_at<uint32_t>(bytes, 0) != 0;
        });
        EXPECT_TRUE(region->copy_in(0, bytes_of(0U)));
        return number_at<uint32_t>(bytes, 0) - 1;
    };
    EXPECT_EQ(number_at<uint32_t>(ask(ContainerMessage::kGetRingEvents, bytes_of(0U)).bytes, 8),
              static_cast<uint32_t>(OpenStatus::kRefused));
    submit(handshake(1));
    EXPECT_EQ(reply_code(), protocol::kApirHandshakeCode);
    submit(loadlibrary(1));
    EXPECT_EQ(reply_code(), 0U);
    submit(open_ring(1, 0, 2));
    EXPECT_EQ(reply_code(), protocol::kApirForwardSuccess);

    auto events = ask(ContainerMessage::kGetRingEvents, bytes_of(0U));
    ASSERT_EQ(events.files.size(), 2U);
    const auto doorbell = *device::EventFile::adopt(std::move(events.files[0]));
    const auto completion = *device::EventFile::adopt(std::move(events.files[1]));
    doorbell.signal();
    run_until(*loop_, [&] { return completion.take(); });
}

TEST_F(ContainerTest, ADyingWorkerWakesTheClient) {
    start("break");
    const auto page = make_region(4096);
    make_region(16384);
    submit(loadlibrary(1));
    const auto region = *wire::map_region(page->files[0].number(), 4096);
    std::vector<std::byte> bytes(4);
    run_until(*loop_, [&] {
        EXPECT_TRUE(region->copy_out(0, bytes));
        return number_at<uint32_t>(bytes, 0) != 0;
    });
    submit(open_ring(1, 0, 2));
    run_until(*loop_,
              [&] { return renderer_->find(1)->state() == protocol::ContextState::kClosed; });
    auto events = ask(ContainerMessage::kGetRingEvents, bytes_of(0U));
    ASSERT_EQ(events.files.size(), 2U);
    EXPECT_TRUE(device::EventFile::adopt(std::move(events.files[1]))->take());
}

TEST_F(ContainerTest, AClientCannotBlockUsWithTheEventfdsThatItHolds) {
    start("silent");
    const auto page = make_region(4096);
    make_region(16384);
    const auto region = *wire::map_region(page->files[0].number(), 4096);
    const auto wait_for_reply = [&] {
        std::vector<std::byte> bytes(4);
        run_until(*loop_, [&] {
            EXPECT_TRUE(region->copy_out(0, bytes));
            return number_at<uint32_t>(bytes, 0) != 0;
        });
        EXPECT_TRUE(region->copy_in(0, bytes_of(0U)));
    };
    submit(loadlibrary(1));
    wait_for_reply();
    submit(open_ring(1, 0, 2));
    wait_for_reply();
    const auto events = ask(ContainerMessage::kGetRingEvents, bytes_of(0U));
    ASSERT_EQ(events.files.size(), 2U);
    for (const auto& file : events.files) {
        const uint64_t full = ~uint64_t{0} - 1;
        ASSERT_EQ(::write(file.number(), &full, sizeof full), ssize_t{sizeof full});
        ASSERT_EQ(::fcntl(file.number(), F_SETFL, 0), 0);
    }
    submit(doorbell(0));
    submit(ring_command(protocol::ApirForward::kCloseRing, 0));  // hangs if anything is written
    submit(ping(1));
    wait_for_reply();
}

TEST_F(ContainerTest, ClosesDescriptorsThatClientsSend) {
    start("echo");
    make_region(4096);
    const auto before = open_descriptors();
    const std::array<int, 2> files{0, 1};
    send(ContainerMessage::kSubmit, joined(bytes_of(3U), ping(1)), files);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(closed_);
}

TEST_F(ContainerTest, ClosesConnectionsThatBreakTheProtocol) {
    start("echo");
    send(ContainerMessage::kDestroyRegion, bytes_of(uint32_t{9}));
    EXPECT_TRUE(closed_);
}

TEST_F(ContainerTest, ClosesConnectionsWithUnknownMessages) {
    start("echo");
    send(static_cast<ContainerMessage>(99), {});
    EXPECT_TRUE(closed_);
}

TEST_F(ContainerTest, TheClientLeaving) {
    start("echo");
    client_.reset();
    run_until(*loop_, [&] { return closed_; });
    endpoint_.reset();
    EXPECT_EQ(renderer_->find(1), nullptr);
}

}  // namespace
}  // namespace virtgpu::container
