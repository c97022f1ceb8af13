#include "host/access_rule.h"

#include <gtest/gtest.h>
#include <unistd.h>

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

}  // namespace
}  // namespace virtgpu::host
