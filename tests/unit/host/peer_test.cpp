#include "host/peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "wire/sys/accounts.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::host {
namespace {

// Of VMMs' sockets, which are streams, and of containers', which keep messages apart.
class PeerOfSocket : public ::testing::TestWithParam<int> {};

TEST_P(PeerOfSocket, IsWhoTheKernelSaysWithAllGroups) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, GetParam() | SOCK_CLOEXEC, 0, ends.data()), 0);
    const wire::FileDescriptor ours(ends[0]);
    const wire::FileDescriptor theirs(ends[1]);
    const auto peer = peer_of(ours.number());
    ASSERT_TRUE(peer) << peer.error().message();
    EXPECT_EQ(peer->process, ::getpid());
    EXPECT_EQ(peer->user, ::geteuid());
    EXPECT_NE(peer->describe().find(wire::user_name(::geteuid())), std::string::npos);
    std::vector<gid_t> groups(static_cast<size_t>(::getgroups(0, nullptr)));
    ASSERT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
    groups.push_back(::getegid());
    for (const gid_t group : groups)
        EXPECT_NE(std::ranges::find(peer->groups, group), peer->groups.end()) << group;
}

INSTANTIATE_TEST_SUITE_P(Types, PeerOfSocket, ::testing::Values(SOCK_STREAM, SOCK_SEQPACKET));

TEST(Peer, NobodyIsAtTheOtherEndOfAFile) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const wire::FileDescriptor reader(ends[0]);
    const wire::FileDescriptor writer(ends[1]);
    EXPECT_FALSE(peer_of(reader.number()));
}

TEST(Peer, IsDescribedWithItsProcessWhereThatIsSeen) {
    EXPECT_EQ((Peer{4711, 0, {}}).describe(), "user root (uid 0), process 4711");
    EXPECT_EQ((Peer{0, 0, {}}).describe(), "user root (uid 0)");
}

}  // namespace
}  // namespace virtgpu::host
