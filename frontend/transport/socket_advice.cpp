#include "frontend/transport/socket_advice.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/text.h"

namespace virtgpu::frontend {

namespace {

std::string name_of_user(uid_t user) {
    const passwd* entry = ::getpwuid(user);
    return entry == nullptr ? std::to_string(user) : entry->pw_name;
}

std::string name_of_group(gid_t group) {
    const ::group* entry = ::getgrgid(group);
    return entry == nullptr ? std::to_string(group) : entry->gr_name;
}

}  // namespace

std::string advice_about_socket(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return wire::format(
            "is `ggml-virtgpu-host --listen {}` running, and its socket visible here?", path);
    if (!S_ISSOCK(status.st_mode))
        return wire::format("'{}' is no socket", path);
    if (::access(path.c_str(), W_OK) == 0)
        return wire::format("nobody listens there: is `ggml-virtgpu-host --listen {}` running?",
                            path);
    constexpr mode_t kPermissions = 0777;
    return wire::format(
        "user {} may not use it: it belongs to user {} and group {} with mode {:04o}. Join that "
        "group, or start ggml-virtgpu-host with another --socket-group or --socket-mode",
        name_of_user(::geteuid()), name_of_user(status.st_uid), name_of_group(status.st_gid),
        status.st_mode & kPermissions);
}

}  // namespace virtgpu::frontend
