#include "host/access_rule.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "wire/sys/accounts.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::host {
namespace {

constexpr uid_t kStranger = 4000000000;
constexpr gid_t kClub = 4000000001;

AccessRule rule(const AllowedAccounts& allowed) {
    return *AccessRule::create(allowed);
}

TEST(AccessRule, WithoutAListTheFilesModeDecides) {
    EXPECT_TRUE(rule({}).allows({1, kStranger, {}}));
}

TEST(AccessRule, UsersAndGroupsAreListed) {
    const Peer stranger{1, kStranger, {kClub}};
    EXPECT_FALSE(rule({{"0"}, {}}).allows({1, kStranger, {0}}));
    EXPECT_TRUE(rule({{std::to_string(kStranger)}, {}}).allows(stranger));
    EXPECT_TRUE(rule({{}, {std::to_string(kClub)}}).allows(stranger));
    EXPECT_FALSE(rule({{}, {"0"}}).allows(stranger));
    EXPECT_TRUE(rule({{"root"}, {}}).allows({1, 0, {}}));
}

TEST(AccessRule, TheHostsOwnUserIsAlwaysServed) {
    EXPECT_TRUE(rule({{std::to_string(kStranger)}, {}}).allows({1, ::geteuid(), {}}));
}

TEST(AccessRule, NamesHaveToExist) {
    const auto user = AccessRule::create({{"no-such-user"}, {}});
    ASSERT_FALSE(user);
    EXPECT_NE(user.error().message().find("no user 'no-such-user'"), std::string::npos);
    EXPECT_FALSE(AccessRule::create({{}, {"no-such-group"}}));
}

TEST(Peer, IsWhoConnected) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    const wire::FileDescriptor ours(ends[0]);
    const wire::FileDescriptor theirs(ends[1]);
    const auto peer = peer_of(ours.number());
    ASSERT_TRUE(peer) << peer.error().message();
    EXPECT_EQ(peer->user, ::geteuid());
    EXPECT_EQ(peer->process, ::getpid());
    EXPECT_NE(std::find(peer->groups.begin(), peer->groups.end(), ::getegid()), peer->groups.end());
    EXPECT_NE(peer->describe().find(wire::user_name(::geteuid())), std::string::npos);
}

}  // namespace
}  // namespace virtgpu::host
