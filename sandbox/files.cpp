#include "sandbox/files.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "wire/sys/file_descriptor.h"

namespace virtgpu::sandbox {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

// Of versions that Debian 12's headers do not know (Documentation/userspace-api/landlock.rst).
constexpr uint64_t kTruncate = uint64_t{1} << 14;       // version 3, Linux 6.2
constexpr uint64_t kDeviceControl = uint64_t{1} << 15;  // version 5, Linux 6.10
constexpr uint64_t kBindTcp = uint64_t{1} << 0;         // version 4, Linux 6.7
constexpr uint64_t kConnectTcp = uint64_t{1} << 1;
constexpr uint64_t kAbstractSockets = uint64_t{1} << 0;  // version 6, Linux 6.12
constexpr uint64_t kSignals = uint64_t{1} << 1;
constexpr int kPortRule = 2;

struct RulesetAttributes {
    uint64_t files = 0;
    uint64_t network = 0;
    uint64_t scoped = 0;
};

struct PortAttributes {
    uint64_t access = 0;
    uint64_t port = 0;
};

constexpr uint64_t kFirstVersion = (uint64_t{1} << 13) - 1;
constexpr uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// What a rule for a file, which is no folder, may name.
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kDeviceControl;

RulesetAttributes handled_by(long version) {
    RulesetAttributes attributes{kFirstVersion, 0, 0};
    if (version >= 2)
        attributes.files |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        attributes.files |= kTruncate;
    if (version >= 4)
        attributes.network = kBindTcp | kConnectTcp;
    if (version >= 5)
        attributes.files |= kDeviceControl;
    if (version >= 6)
        attributes.scoped = kAbstractSockets | kSignals;
    return attributes;
}

// An older kernel refuses fields that it does not know.
size_t size_for(long version) {
    if (version >= 6)
        return sizeof(RulesetAttributes);
    return version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

std::string not_restricted_by(long version) {
    if (version < 4)
        return "TCP ports and signals (Linux 6.7 and 6.12 restrict them)";
    return version < 6 ? "signals to other processes (Linux 6.12 restricts them)" : "";
}

Result<void> allow_path(int ruleset, const std::string& path, uint64_t access) {
    const FileDescriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.number(), &status) != 0)
        return {};
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(status.st_mode) ? access : access & kOfFiles;
    rule.parent_fd = file.number();
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return wire::system_failure(errno, wire::format("a Landlock rule for '{}'", path));
    return {};
}

Result<void> allow_port(int ruleset, uint16_t port) {
    const PortAttributes rule{kConnectTcp, port};
    if (::syscall(SYS_landlock_add_rule, ruleset, kPortRule, &rule, 0) != 0)
        return wire::system_failure(errno, wire::format("a Landlock rule for port {}", port));
    return {};
}

}  // namespace

Result<std::string> restrict_files(const Reachable& reachable) {
    const long version =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return wire::fail(Fault::kRefused, "no Landlock: the kernel is built or booted without it");
    const RulesetAttributes handled = handled_by(version);
    const FileDescriptor ruleset(
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size_for(version), 0)));
    if (!ruleset)
        return wire::system_failure(errno, "a set of Landlock rules");
    for (const std::string& path : reachable.readable)
        TRY(allow_path(ruleset.number(), path, kRead));
    for (const std::string& path : reachable.writable)
        TRY(allow_path(ruleset.number(), path, handled.files));
    if (handled.network != 0)
        for (const uint16_t port : reachable.ports)
            TRY(allow_port(ruleset.number(), port));
    if (::syscall(SYS_landlock_restrict_self, ruleset.number(), 0) != 0)
        return wire::system_failure(errno, "putting the Landlock rules in force");
    return not_restricted_by(version);
}

}  // namespace virtgpu::sandbox
