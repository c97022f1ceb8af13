#include "host/peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "wire/sys/file_descriptor.h"

namespace virtgpu::host {
namespace {

TEST(Peer, IsWhoTheKernelSaysWithAllGroups) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const wire::FileDescriptor ours(ends[0]);
    const wire::FileDescriptor theirs(ends[1]);
    const auto peer = peer_of(ours.number());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->process, ::getpid());
    EXPECT_EQ(peer->user, ::geteuid());
    std::vector<gid_t> groups(static_cast<size_t>(::getgroups(0, nullptr)));
    ASSERT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
    groups.push_back(::getegid());
    for (const gid_t group : groups)
        EXPECT_NE(std::ranges::find(peer->groups, group), peer->groups.end()) << group;
}

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
