#include "doctor/host/sockets_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "doctor/child.h"
#include "host/listener.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

class SocketsCheckTest : public testing::Test {
 protected:
    Findings examine(bool for_machines = true) const {
        return SocketsCheck({{path_, for_machines}}).examine();
    }

    MadeUpRoot root_;
    std::string path_ = root_.path("/socket");
};

TEST_F(SocketsCheckTest, OneThatCanBeMade) {
    EXPECT_TRUE(has(examine(), Verdict::kOk, "can be made"));
}

TEST_F(SocketsCheckTest, OneThatIsListenedOn) {
    const auto listener = host::Listener::create(path_, host::SocketType::kStream, {0640, {}});
    ASSERT_TRUE(listener);
    EXPECT_TRUE(has(examine(), Verdict::kOk, "mode 0640"));
    EXPECT_TRUE(has(examine(false), Verdict::kProblem, "not for containers", "--listen"));
}

TEST_F(SocketsCheckTest, OneThatWasLeftBehind) {
    auto listener = host::Listener::create(path_, host::SocketType::kStream);
    ASSERT_TRUE(listener);
    {
        auto ended = std::move(*listener);
        ended.forget();
    }
    EXPECT_TRUE(has(examine(), Verdict::kOk, "left behind"));
}

TEST_F(SocketsCheckTest, WhatIsInTheWay) {
    root_.file("/socket", "text");
    EXPECT_TRUE(has(examine(), Verdict::kProblem, "is no socket", "remove it"));
}

TEST_F(SocketsCheckTest, APlaceThatCannotBe) {
    EXPECT_TRUE(has(SocketsCheck({{root_.path("/missing/socket"), true}}).examine(),
                    Verdict::kProblem, "there is no folder", "mkdir -p"));
    EXPECT_TRUE(has(SocketsCheck({{"/" + std::string(200, 'x'), true}}).examine(),
                    Verdict::kProblem, "too long", "107"));
}

TEST_F(SocketsCheckTest, WhatAnotherUserMayNot) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    std::filesystem::permissions(root_.path("/"), std::filesystem::perms(0755));
    const auto listener = host::Listener::create(path_, host::SocketType::kStream, {0600, {}});
    ASSERT_TRUE(listener);
    constexpr uid_t kNobody = 65534;
    const auto as_nobody = in_child([&] {
        if (::setuid(kNobody) != 0)
            return 1;
        const std::string elsewhere = root_.path("/other");
        return has(examine(), Verdict::kWarning, "may not connect", "--socket-mode") &&
                       has(SocketsCheck({{elsewhere, true}}).examine(), Verdict::kProblem,
                           "may not write", "/run/user")
                   ? 0
                   : 2;
    });
    EXPECT_EQ(as_nobody->status, 0);
}

TEST_F(SocketsCheckTest, AFolderThatAnotherUserMayNotLookInto) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    root_.file("/closed/inner/file");
    std::filesystem::permissions(root_.path("/"), std::filesystem::perms(0755));
    std::filesystem::permissions(root_.path("/closed"), std::filesystem::perms(0700));
    constexpr uid_t kNobody = 65534;
    const auto as_nobody = in_child([&] {
        if (::setuid(kNobody) != 0)
            return 1;
        for (const char* socket : {"/closed/socket", "/closed/inner/socket"})
            if (const auto found =
                    has(SocketsCheck({{root_.path(socket), true}}).examine(), Verdict::kProblem,
                        "may not look into " + root_.path("/closed"), "run the doctor as");
                !found) {
                std::puts(found.message());
                return 2;
            }
        return 0;
    });
    EXPECT_EQ(as_nobody->status, 0) << as_nobody->output;
}

TEST_F(SocketsCheckTest, OneThatSystemdMakes) {
    EXPECT_TRUE(has(SocketsCheck({{"/run/ggml-virtgpu/no-such-unit.sock", true}}).examine(),
                    Verdict::kProblem, "its unit is not active",
                    "systemctl enable --now ggml-virtgpu-no-such-unit.socket"));
}

}  // namespace
}  // namespace virtgpu::doctor
