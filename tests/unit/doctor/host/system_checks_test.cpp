// The checks of what a machine has: KVM, GPUs, huge pages, limits, means of a sandbox.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "doctor/child.h"
#include "doctor/host/gpu_nodes_check.h"
#include "doctor/host/huge_pages_check.h"
#include "doctor/host/kvm_check.h"
#include "doctor/host/limits_check.h"
#include "doctor/host/sandbox_check.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

// Root may everything: what others may not is tried as one of them.
bool as_somebody_else(const std::function<bool()>& body) {
    constexpr uid_t kNobody = 65534;
    const auto end = in_child([&] { return ::setuid(kNobody) == 0 && body() ? 0 : 1; });
    return end && end->status == 0;
}

void close_to_others(const MadeUpRoot& root, const std::string& path) {
    std::filesystem::permissions(root.path("/"), std::filesystem::perms(0755));
    std::filesystem::permissions(root.path(path), std::filesystem::perms(0600));
}

TEST(KvmCheck, IsThereOrNot) {
    const MadeUpRoot root;
    EXPECT_TRUE(has(KvmCheck(*root).examine(), Verdict::kWarning, "no /dev/kvm", "kvm_intel"));
    root.file("/dev/kvm");
    EXPECT_TRUE(has(KvmCheck(*root).examine(), Verdict::kOk, "can be used"));
}

TEST(KvmCheck, MayNotBeAllowed) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    const MadeUpRoot root;
    root.file("/dev/kvm");
    close_to_others(root, "/dev/kvm");
    EXPECT_TRUE(as_somebody_else([&] {
        return bool(has(KvmCheck(*root).examine(), Verdict::kWarning, "may not use", "-aG kvm"));
    }));
}

TEST(GpuNodesCheck, LooksAtAllKinds) {
    const MadeUpRoot root;
    EXPECT_TRUE(GpuNodesCheck(*root).examine().empty());
    for (const char* node : {"/dev/dri/renderD128", "/dev/dri/card0", "/dev/kfd", "/dev/nvidia0"})
        root.file(node);
    const auto findings = GpuNodesCheck(*root).examine();
    EXPECT_EQ(findings.size(), 3U);
    EXPECT_TRUE(has(findings, Verdict::kOk, "/dev/dri/renderD128"));
}

TEST(GpuNodesCheck, MayNotBeAllowed) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    const MadeUpRoot root;
    root.file("/dev/dri/renderD128");
    close_to_others(root, "/dev/dri/renderD128");
    EXPECT_TRUE(as_somebody_else([&] {
        return bool(
            has(GpuNodesCheck(*root).examine(), Verdict::kWarning, "may not use", "render"));
    }));
}

class HugePagesCheckTest : public testing::Test {
 protected:
    Findings examine(const std::string& kernel, const std::string& setting) const {
        root_.file("/proc/sys/kernel/osrelease", kernel + "\n");
        root_.file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", setting + "\n");
        return HugePagesCheck(*root_).examine();
    }

    MadeUpRoot root_;
};

TEST_F(HugePagesCheckTest, DependsOnKernelAndSetting) {
    EXPECT_TRUE(has(HugePagesCheck(*root_).examine(), Verdict::kWarning, "this kernel has none",
                    "CONFIG_TRANSPARENT_HUGEPAGE"));
    const std::string never = "always within_size advise [never] deny force";
    EXPECT_TRUE(has(examine("6.12.1-amd64", never), Verdict::kOk, "never"));
    EXPECT_TRUE(has(examine("5.15.0", never), Verdict::kWarning, "says never", "echo advise"));
    EXPECT_TRUE(has(examine("5.15.0", "always [advise] never"), Verdict::kOk, "advise"));
    EXPECT_TRUE(has(examine("6.12.1", "never [deny] force"), Verdict::kWarning, "says deny"));
}

TEST(LimitsCheck, FewDescriptorsAreAWarning) {
    EXPECT_TRUE(has(LimitsCheck(1024).examine(), Verdict::kWarning, "at most 1024", "LimitNOFILE"));
    EXPECT_TRUE(has(LimitsCheck(1 << 20).examine(), Verdict::kOk, "1048576"));
    const auto lowered = in_child([] {
        const rlimit limit{100, 100};
        ::setrlimit(RLIMIT_NOFILE, &limit);
        return most_descriptors() == 100 ? 0 : 1;
    });
    EXPECT_EQ(lowered->status, 0);
}

TEST(SandboxCheck, SaysWhichSettingForbidsNamespaces) {
    const SandboxFeatures none{};
    const std::pair<std::string, std::string> settings[] = {
        {"user/max_user_namespaces", "0"},
        {"kernel/unprivileged_userns_clone", "0"},
        {"kernel/apparmor_restrict_unprivileged_userns", "1"}};
    for (const auto& [setting, locked] : settings) {
        const MadeUpRoot root;
        EXPECT_TRUE(has(SandboxCheck(none, *root).examine(), Verdict::kWarning, "cannot be made"));
        root.file("/proc/sys/" + setting, locked + "\n");
        EXPECT_TRUE(has(SandboxCheck(none, *root).examine(), Verdict::kWarning, setting, "sysctl"));
    }
}

TEST(SandboxCheck, SaysWhatTheKernelLacks) {
    const MadeUpRoot root;
    const auto findings = SandboxCheck({}, *root).examine();
    EXPECT_TRUE(has(findings, Verdict::kWarning, "system calls", "CONFIG_SECCOMP_FILTER"));
    EXPECT_TRUE(has(findings, Verdict::kWarning, "no Landlock", "lsm="));
    const auto all = SandboxCheck({true, true, 6}, *root).examine();
    EXPECT_TRUE(has(all, Verdict::kOk, "Landlock 6"));
    for (const Finding& finding : all)
        EXPECT_EQ(finding.verdict, Verdict::kOk);
}

TEST(SandboxFeatures, AreTriedOut) {
    EXPECT_TRUE(find_sandbox_features().seccomp_filters);
    // A namespace that may have no further ones.
    const auto limited = in_child([] {
        if (::unshare(CLONE_NEWUSER) != 0)
            return 2;
        std::ofstream("/proc/sys/user/max_user_namespaces") << 0;
        return find_sandbox_features().user_namespaces ? 1 : 0;
    });
    ASSERT_TRUE(limited);
    EXPECT_EQ(find_sandbox_features().user_namespaces, limited->status != 2);
    EXPECT_NE(limited->status, 1);
}

}  // namespace
}  // namespace virtgpu::doctor
