#include "doctor/host/qemu_check.h"

#include <gtest/gtest.h>

#include "doctor/host/qemu_version.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

Findings examine(const MadeUpRoot& root, const std::string& version) {
    return QemuCheck(root.script("/qemu", "echo 'QEMU emulator version " + version + "'"))
        .examine();
}

TEST(QemuCheck, TheVersionChoosesTheDevice) {
    const MadeUpRoot root;
    EXPECT_TRUE(has(examine(root, "11.1.2 (Debian 1:11.1.2+ds-1)"), Verdict::kOk,
                    "vhost-user-test-device-pci,chardev=vgpu,virtio-id=16"));
    EXPECT_TRUE(has(examine(root, "12.0.0"), Verdict::kOk, "vhost-user-test-device-pci"));
    EXPECT_TRUE(has(examine(root, "10.0.13"), Verdict::kWarning, "vhost-user-gpu-pci", "11.1"));
    EXPECT_TRUE(has(examine(root, "7.2.22"), Verdict::kWarning, "guest memory only and with KVM"));
    EXPECT_TRUE(has(examine(root, "7.1.0"), Verdict::kProblem, "cannot carry", "7.2"));
}

TEST(QemuCheck, WithoutQemuThereAreContainers) {
    EXPECT_TRUE(has(QemuCheck("/no/qemu").examine(), Verdict::kWarning, "only containers",
                    "qemu-system-x86"));
    const MadeUpRoot root;
    EXPECT_TRUE(has(QemuCheck(root.script("/other", "echo hello")).examine(), Verdict::kWarning,
                    "does not answer as QEMU"));
}

TEST(QemuVersion, IsReadFromItsAnswer) {
    EXPECT_EQ(parse_qemu_version("QEMU emulator version 8.2.2 (Ubuntu)"), (QemuVersion{8, 2}));
    EXPECT_FALSE(parse_qemu_version("bash: qemu: command not found"));
}

}  // namespace
}  // namespace virtgpu::doctor
