#include "doctor/host/sandbox_check.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "doctor/child.h"
#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "sandbox";

#ifndef SYS_landlock_create_ruleset
constexpr long SYS_landlock_create_ruleset = 444;
#endif
constexpr unsigned kLandlockVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION

bool can_make_user_namespaces() {
    const auto tried = in_child([] { return ::unshare(CLONE_NEWUSER) == 0 ? 0 : 1; });
    return tried && tried->status == 0;
}

// A setting that keeps users from making namespaces.
struct Lock {
    std::string_view name;
    std::string_view locked;
    std::string_view unlock;
};
constexpr std::array kLocks{
    Lock{"user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"},
    Lock{"kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
    Lock{"kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with "
         "userns"},
};

}  // namespace

SandboxFeatures find_sandbox_features() {
    SandboxFeatures features;
    features.user_namespaces = can_make_user_namespaces();
    // A filter at no address is looked at only by a kernel that has filters.
    features.seccomp_filters =
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno == EFAULT;
    const long landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kLandlockVersion);
    features.landlock = landlock > 0 ? static_cast<int>(landlock) : 0;
    return features;
}

Finding SandboxCheck::user_namespaces() const {
    if (features_.user_namespaces)
        return ok(kSubject, "user namespaces can be made");
    for (const Lock& lock : kLocks) {
        const std::string setting = wire::format("/proc/sys/{}", lock.name);
        if (root_.text(setting) == lock.locked)
            return warning(
                kSubject,
                wire::format("user namespaces are turned off: {} is {}", setting, lock.locked),
                std::string(lock.unlock));
    }
    return warning(kSubject, "user namespaces cannot be made here",
                   "a container's seccomp profile may forbid them: allow clone and unshare with "
                   "CLONE_NEWUSER");
}

Findings SandboxCheck::examine() {
    Findings findings{user_namespaces()};
    if (features_.seccomp_filters)
        findings.push_back(ok(kSubject, "system calls can be filtered (seccomp)"));
    else
        findings.push_back(warning(kSubject, "system calls cannot be filtered",
                                   "use a kernel with CONFIG_SECCOMP_FILTER"));
    if (features_.landlock > 0)
        findings.push_back(
            ok(kSubject, wire::format("files can be shut off (Landlock {})", features_.landlock)));
    else
        findings.push_back(
            warning(kSubject, "files cannot be shut off (no Landlock)",
                    "use Linux 5.13 or newer, with landlock in the boot parameter lsm="));
    return findings;
}

}  // namespace virtgpu::doctor
