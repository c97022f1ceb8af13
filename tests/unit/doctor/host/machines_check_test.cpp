#include "doctor/host/machines_check.h"

#include <gtest/gtest.h>

#include <sstream>

#include "host/listener.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

constexpr const char* kGenericDevice =
    "-device vhost-user-test-device-pci,chardev=vgpu,virtio-id=16,num_vqs=2,vq_size=256,"
    "config_size=16";
constexpr const char* kLegacyDevice = "-device vhost-user-gpu-pci,chardev=vgpu";
constexpr const char* kSharedMemory =
    "-M q35,memory-backend=mem -object memory-backend-memfd,id=mem,size=2G,share=on";

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;)
        words.push_back(word);
    return words;
}

class MachinesCheckTest : public testing::Test {
 protected:
    Findings examine(const std::string& version, const std::string& options) const {
        const std::string qemu =
            root_.script("/qemu-" + version, "echo 'QEMU emulator version " + version + "'");
        return MachinesCheck(words_of(qemu + " " + options + " " + chardev()), *root_).examine();
    }
    std::string chardev() const { return "-chardev socket,id=vgpu,path=" + root_.path("/socket"); }

    MadeUpRoot root_;
};

TEST_F(MachinesCheckTest, ARightCommandHasNoProblem) {
    const auto listener = host::Listener::create(root_.path("/socket"), host::SocketType::kStream);
    ASSERT_TRUE(listener);
    for (const Finding& finding :
         examine("11.1.2", std::string(kGenericDevice) + " " + kSharedMemory))
        EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.text;
    for (const Finding& finding :
         examine("10.0.1", std::string(kLegacyDevice) + " " + kSharedMemory))
        EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.text;
    for (const char* kvm : {"-accel kvm", "-enable-kvm", "-machine accel=kvm:tcg"})
        for (const Finding& finding :
             examine("7.2.22", std::string(kLegacyDevice) + " " + kSharedMemory + " " + kvm))
            EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.text;
}

TEST_F(MachinesCheckTest, MemoryThatIsNotShared) {
    for (const char* memory :
         {"-m 2G", "-M q35,memory-backend=mem -object memory-backend-ram,id=mem,size=2G",
          "-M q35,memory-backend=mem -object memory-backend-file,id=mem,size=2G,mem-path=/x",
          "-M q35,memory-backend=mem -object memory-backend-memfd,id=mem,size=2G,share=off",
          "-object memory-backend-memfd,id=mem,size=2G,share=on"})
        EXPECT_TRUE(has(examine("11.1.0", std::string(kGenericDevice) + " " + memory),
                        Verdict::kProblem, "memory is not shared", "memory-backend-memfd"))
            << memory;
}

TEST_F(MachinesCheckTest, MemoryOfHugePages) {
    const std::string machine = " -M q35,memory-backend=mem ";
    for (const char* memory :
         {"-object memory-backend-memfd,id=mem,size=2G,share=on,hugetlb=on",
          "-object memory-backend-file,id=mem,size=2G,share=on,mem-path=/dev/hugepages"}) {
        EXPECT_TRUE(has(examine("10.0.1", kLegacyDevice + machine + memory), Verdict::kProblem,
                        "vhost-user-gpu-pci cannot share huge pages", "memory-backend-memfd"))
            << memory;
        EXPECT_TRUE(has(examine("11.1.0", kGenericDevice + machine + memory), Verdict::kOk,
                        "memory is shared"))
            << memory;
    }
}

TEST_F(MachinesCheckTest, NumaNodesAreMemoryToo) {
    EXPECT_TRUE(has(examine("11.1.0", std::string(kGenericDevice) +
                                          " -object memory-backend-memfd,id=m0,size=1G "
                                          "-numa node,memdev=m0"),
                    Verdict::kOk, "memory is shared"));
}

TEST_F(MachinesCheckTest, ADeviceThatThisQemuLacks) {
    EXPECT_TRUE(has(examine("10.0.13", std::string(kGenericDevice) + " " + kSharedMemory),
                    Verdict::kProblem, "QEMU 10.0 has no vhost-user-test-device-pci",
                    kLegacyDevice));
    EXPECT_TRUE(has(examine("11.1.0", std::string(kLegacyDevice) + " " + kSharedMemory),
                    Verdict::kWarning, "guest memory only", kGenericDevice));
    EXPECT_TRUE(has(examine("11.2.0", std::string(kLegacyDevice) + " " + kSharedMemory),
                    Verdict::kOk, "QEMU 11.2 has vhost-user-gpu-pci"));
}

TEST_F(MachinesCheckTest, AQemuThatCannotBe) {
    EXPECT_TRUE(has(examine("7.1.0", std::string(kLegacyDevice) + " " + kSharedMemory),
                    Verdict::kProblem, "QEMU 7.1 has no vhost-user-gpu-pci", "newer QEMU"));
    for (const char* accelerator : {"", " -accel tcg", " -machine accel=tcg"})
        EXPECT_TRUE(
            has(examine("7.2.22", std::string(kLegacyDevice) + " " + kSharedMemory + accelerator),
                Verdict::kProblem, "with KVM alone", "-accel kvm"));
    EXPECT_TRUE(
        has(MachinesCheck(words_of(std::string("/no/qemu ") + kLegacyDevice), *root_).examine(),
            Verdict::kWarning, "/no/qemu --version", "name QEMU's program first"));
}

TEST_F(MachinesCheckTest, AGenericDeviceThatIsNoGpu) {
    EXPECT_TRUE(has(examine("11.1.0",
                            "-device vhost-user-test-device-pci,chardev=vgpu,virtio-id=26,"
                            "num_vqs=2,config_size=16"),
                    Verdict::kProblem, "virtio-id 26 instead of 16", "virtio-id=16"));
    EXPECT_TRUE(has(examine("11.1.0",
                            "-device vhost-user-test-device-pci,chardev=vgpu,virtio-id=16,"
                            "num_vqs=2"),
                    Verdict::kProblem, "config_size missing instead of 16"));
}

TEST_F(MachinesCheckTest, NoDeviceAndNoSocket) {
    EXPECT_TRUE(has(examine("7.2.1", kSharedMemory), Verdict::kProblem, "no device of ours",
                    "vhost-user-gpu-pci"));
    EXPECT_TRUE(has(examine("11.1.0", kGenericDevice), Verdict::kProblem, "there is no socket",
                    "ggml-virtgpu-host --socket-path " + root_.path("/socket")));
    const std::string pipe = root_.script("/qemu", "echo 'QEMU emulator version 11.1.0'") + " " +
                             kGenericDevice + " -chardev pipe,id=vgpu,path=";
    EXPECT_TRUE(has(MachinesCheck(words_of(pipe), *root_).examine(), Verdict::kProblem,
                    "no socket with a path", "-chardev socket"));
}

TEST_F(MachinesCheckTest, ASocketOfAUnit) {
    const std::string command = root_.script("/qemu", "echo 'QEMU emulator version 11.1.0'") + " " +
                                kGenericDevice +
                                " -chardev socket,id=vgpu,path=/run/ggml-virtgpu/no-such-unit.sock";
    EXPECT_TRUE(has(MachinesCheck(words_of(command), *root_).examine(), Verdict::kProblem,
                    "there is no socket",
                    "systemctl enable --now ggml-virtgpu-no-such-unit.socket"));
}

TEST_F(MachinesCheckTest, TheJsonOfLibvirtIsUnderstood) {
    const std::vector<std::string> command{
        "/no/qemu",
        "-machine",
        "pc-q35-10.0,memory-backend=pc.ram",
        "-object",
        R"({"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"size":1073741824})",
        "-device",
        R"({"driver":"vhost-user-gpu-pci","id":"video0","chardev":"chr-vu-video0"})"};
    EXPECT_TRUE(has(MachinesCheck(command, *root_).examine(), Verdict::kOk, "memory is shared"));
}

TEST_F(MachinesCheckTest, RunningMachinesAreFound) {
    auto words = words_of(std::string("/usr/bin/qemu-system-x86_64 -m 2G ") + kGenericDevice);
    std::string line;
    for (const std::string& word : words)
        line += word + '\0';
    root_.file("/proc/4711/cmdline", line);
    root_.file("/proc/4712/cmdline", std::string("vim\0-device\0vhost-user-gpu-pci\0", 31));
    root_.file("/proc/sys/cmdline", line);
    const auto findings = MachinesCheck({}, *root_).examine();
    EXPECT_TRUE(has(findings, Verdict::kProblem, "memory is not shared"));
    for (const Finding& finding : findings)
        EXPECT_EQ(finding.subject, "VM 4711");
}

}  // namespace
}  // namespace virtgpu::doctor
