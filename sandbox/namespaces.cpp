#include "sandbox/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "wire/sys/file_descriptor.h"

namespace virtgpu::sandbox {

using wire::Fault;
using wire::Result;

namespace {

Result<void> write_file(const char* path, const std::string& text) {
    const wire::FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file ||
        ::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return wire::system_failure(errno, wire::format("writing {}", path));
    return {};
}

// We keep our own numbers, and no others exist in there.
Result<void> keep_identity(uid_t user, gid_t group) {
    TRY(write_file("/proc/self/setgroups", "deny"));
    TRY(write_file("/proc/self/uid_map", wire::format("{} {} 1", user, user)));
    return write_file("/proc/self/gid_map", wire::format("{} {} 1", group, group));
}

Result<void> unshare(int flags) {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(flags) == 0)
        return {};
    if (::unshare(flags | CLONE_NEWUSER) != 0)
        return wire::fail(Fault::kRefused,
                          "no namespaces ({}): the system does not let users make them",
                          std::strerror(errno));
    return keep_identity(user, group);
}

// Our root becomes an empty file system of this mount namespace alone.
Result<void> hide_files() {
    constexpr const char* kPlace = "/proc";  // a folder that every system has
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", kPlace, "tmpfs", MS_RDONLY | MS_NODEV | MS_NOEXEC | MS_NOSUID,
                "size=4k,mode=555") != 0 ||
        ::chdir(kPlace) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
        ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0)
        return wire::system_failure(errno, "hiding all files");
    return {};
}

}  // namespace

Result<void> leave(const Namespaces& left) {
    int flags = CLONE_NEWIPC | CLONE_NEWUTS;
    if (left.network)
        flags |= CLONE_NEWNET;
    if (left.files)
        flags |= CLONE_NEWNS;
    TRY(unshare(flags));
    if (left.files)
        TRY(hide_files());
    return {};
}

}  // namespace virtgpu::sandbox
