#include "frontend/transport/socket_advice.h"

#include <sys/stat.h>
#include <unistd.h>

#include "wire/sys/accounts.h"
#include "wire/text.h"

namespace virtgpu::frontend {

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
        wire::user_name(::geteuid()), wire::user_name(status.st_uid),
        wire::group_name(status.st_gid), status.st_mode & kPermissions);
}

}  // namespace virtgpu::frontend
