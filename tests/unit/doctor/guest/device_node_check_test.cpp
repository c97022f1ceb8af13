#include "doctor/guest/device_node_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "doctor/child.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

class DeviceNodeCheckTest : public testing::Test {
 protected:
    DeviceNodeCheckTest() {
        const std::string device = "/sys/bus/virtio/devices/virtio0";
        root_.file(device + "/device", "0x0010\n");
        root_.link(device + "/driver", "../../drivers/virtio_gpu");
        root_.file(device + "/drm/renderD128/dev", "226:128\n");
        root_.file(device + "/drm/card0/dev", "226:0\n");
    }
    // As a user who is not root, whom no mode keeps out.
    bool somebody_else_finds(const std::string& fix) const {
        std::filesystem::permissions(root_.path("/"), std::filesystem::perms(0755));
        const auto end = in_child([&] {
            constexpr uid_t kNobody = 65534;
            return ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0 &&
                           has(DeviceNodeCheck(*root_).examine(), Verdict::kProblem,
                               "may not open /dev/dri/renderD128", fix)
                       ? 0
                       : 1;
        });
        return end && end->status == 0;
    }

    MadeUpRoot root_;
};

TEST_F(DeviceNodeCheckTest, IsThere) {
    root_.file("/dev/dri/renderD128");
    const auto findings = DeviceNodeCheck(*root_).examine();
    EXPECT_TRUE(has(findings, Verdict::kOk, "/dev/dri/renderD128 can be opened"));
    EXPECT_EQ(findings.size(), 1U);
}

TEST_F(DeviceNodeCheckTest, IsMissing) {
    EXPECT_TRUE(has(DeviceNodeCheck(*root_).examine(), Verdict::kProblem,
                    "there is no /dev/dri/renderD128", "--device"));
}

TEST_F(DeviceNodeCheckTest, IsForAGroup) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    root_.file("/dev/dri/renderD128");
    const std::string node = root_.path("/dev/dri/renderD128");
    std::filesystem::permissions(node, std::filesystem::perms(0660));
    EXPECT_TRUE(somebody_else_finds("chgrp render"));
    constexpr gid_t kDaemon = 1;
    ASSERT_EQ(::chown(node.c_str(), 0, kDaemon), 0);
    EXPECT_TRUE(somebody_else_finds("usermod -aG daemon nobody"));
}

}  // namespace
}  // namespace virtgpu::doctor
