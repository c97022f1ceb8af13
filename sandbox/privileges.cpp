#include "sandbox/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace virtgpu::sandbox {

using wire::Result;

namespace {

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

Result<void> limit(int resource, uint64_t amount, const char* what) {
    const rlimit wanted{amount, amount};
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) != 0)
        return wire::system_failure(errno, what);
    return {};
}

Result<CapabilitySets> present_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    CapabilitySets sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0)
        return wire::system_failure(errno, "reading the capabilities");
    return sets;
}

}  // namespace

Result<void> forbid_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return wire::system_failure(errno, "giving up new privileges");
    return {};
}

Result<void> drop_capabilities() {
    // Who may not do this has none to lose; what matters is looked at in the end.
    for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
        ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const CapabilitySets none{};
    if (::syscall(SYS_capset, &header, none.data()) != 0)
        return wire::system_failure(errno, "dropping the capabilities");
    const CapabilitySets left = TRY(present_capabilities());
    if (std::any_of(left.begin(), left.end(), [](const __user_cap_data_struct& set) {
            return (set.effective | set.permitted | set.inheritable) != 0;
        }))
        return wire::fail(wire::Fault::kSystem, "some capabilities could not be dropped");
    return {};
}

Result<void> forbid_core_files() {
    return limit(RLIMIT_CORE, 0, "forbidding core files");
}

Result<void> limit_memory(uint64_t bytes) {
    return limit(RLIMIT_DATA, bytes, "limiting the memory");
}

}  // namespace virtgpu::sandbox
