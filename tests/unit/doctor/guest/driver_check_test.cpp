#include "doctor/guest/driver_check.h"

#include <gtest/gtest.h>

#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

constexpr const char* kDevice = "/sys/bus/virtio/devices/virtio3";

TEST(DriverCheck, NoDevice) {
    const MadeUpRoot root;
    root.file("/sys/bus/virtio/devices/virtio0/device", "0x0001\n");  // a network card
    EXPECT_TRUE(has(DriverCheck(*root).examine(), Verdict::kProblem, "no virtio-gpu device",
                    "GGML_VIRTGPU_SOCKET"));
}

TEST(DriverCheck, ADeviceWithItsDriver) {
    const MadeUpRoot root;
    root.file(std::string(kDevice) + "/device", "0x0010\n");
    root.link(std::string(kDevice) + "/driver", "../../drivers/virtio_gpu");
    root.file("/proc/sys/kernel/osrelease", "6.12.107+deb13-amd64\n");
    EXPECT_TRUE(
        has(DriverCheck(*root).examine(), Verdict::kOk, "virtio3: virtio_gpu of Linux 6.12"));
}

TEST(DriverCheck, WhyADeviceHasNoDriver) {
    const MadeUpRoot root;
    root.file(std::string(kDevice) + "/device", "0x0010\n");
    EXPECT_TRUE(has(DriverCheck(*root).examine(), Verdict::kProblem, "is not loaded",
                    "modprobe virtio_gpu"));
    root.file("/sys/bus/virtio/drivers/virtio_gpu/bind");
    EXPECT_TRUE(
        has(DriverCheck(*root).examine(), Verdict::kProblem, "has not taken it", "echo virtio3"));
    for (const char* parameter : {"nomodeset", "virtio_gpu.modeset=0"}) {
        root.file("/proc/cmdline", std::string("quiet ") + parameter + "\n");
        EXPECT_TRUE(has(DriverCheck(*root).examine(), Verdict::kProblem, parameter, "remove it"));
    }
}

TEST(DriverCheck, ADeviceOfAnotherDriver) {
    const MadeUpRoot root;
    root.file(std::string(kDevice) + "/device", "0x0010\n");
    root.link(std::string(kDevice) + "/driver", "../../drivers/vfio");
    EXPECT_TRUE(has(DriverCheck(*root).examine(), Verdict::kProblem, "taken by the driver vfio",
                    "echo virtio3 > /sys/bus/virtio/drivers/vfio/unbind; "
                    "echo virtio3 > /sys/bus/virtio/drivers/virtio_gpu/bind"));
}

}  // namespace
}  // namespace virtgpu::doctor
