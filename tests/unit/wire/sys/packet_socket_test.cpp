#include "wire/sys/packet_socket.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

#include "protocol/generated/structures.h"

namespace virtgpu::wire {
namespace {

using std::chrono::milliseconds;

std::vector<std::byte> text(std::string_view value) {
    const auto bytes = std::as_bytes(std::span(value));
    return {bytes.begin(), bytes.end()};
}

TEST(PacketSocket, PacketsKeepTheirEdgesAndTheirFiles) {
    auto [ours, theirs] = PacketSocket::make_pair().value();
    const FileDescriptor event(::eventfd(0, EFD_CLOEXEC));
    const std::array files{event.number()};
    ASSERT_TRUE(ours.send(text("one"), files));
    ASSERT_TRUE(ours.send(text("two")));

    const auto first = theirs.receive(milliseconds(1000)).value().value();
    EXPECT_EQ(first.bytes, text("one"));
    ASSERT_EQ(first.files.size(), 1U);
    const uint64_t signal = 5;
    ASSERT_EQ(::write(first.files[0].number(), &signal, sizeof signal), 8);
    uint64_t seen = 0;
    ASSERT_EQ(::read(event.number(), &seen, sizeof seen), 8);
    EXPECT_EQ(seen, 5U) << "the same event behind both numbers";

    const auto second = theirs.receive(milliseconds(1000)).value().value();
    EXPECT_EQ(second.bytes, text("two"));
    EXPECT_TRUE(second.files.empty());
}

TEST(PacketSocket, NothingArrivesWhenNothingIsSent) {
    auto [ours, theirs] = PacketSocket::make_pair().value();
    EXPECT_FALSE(theirs.receive(milliseconds(1)).value().has_value());
}

TEST(PacketSocket, AClosedPeerIsLost) {
    auto pair = PacketSocket::make_pair().value();
    { const PacketSocket closed = std::move(pair.second); }
    EXPECT_EQ(pair.first.receive(milliseconds(1000)).error().fault(), Fault::kLost);
    EXPECT_EQ(pair.first.send(text("x")).error().fault(), Fault::kLost);
}

TEST(PacketSocket, AnOversizedPacketIsThePeersFault) {
    auto [ours, theirs] = PacketSocket::make_pair().value();
    ASSERT_TRUE(ours.send(std::vector<std::byte>(protocol::kMaxMessageBytes + 1)));
    EXPECT_EQ(theirs.receive(milliseconds(1000)).error().fault(), Fault::kPeer);
}

TEST(PacketSocket, ConnectingNowhereNamesThePath) {
    const auto socket = PacketSocket::connect("/nonexistent/socket");
    EXPECT_NE(socket.error().message().find("/nonexistent/socket"), std::string::npos);
    EXPECT_FALSE(PacketSocket::connect(std::string(200, 'x')));
}

}  // namespace
}  // namespace virtgpu::wire
