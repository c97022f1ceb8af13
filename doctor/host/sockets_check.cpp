#include "doctor/host/sockets_check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "doctor/host/unit_socket.h"
#include "wire/sys/accounts.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "socket";

// 0, or why nobody can be reached there.
int connect_error(const SocketsCheck::Place& place) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, place.path.data(), place.path.size());
    const int kind = place.for_machines ? SOCK_STREAM : SOCK_SEQPACKET;
    const wire::FileDescriptor socket(::socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int connected =
        ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return connected == 0 ? 0 : errno;
}

// The topmost folder of an absolute path that this user may not look into.
std::string closed_folder(const std::filesystem::path& path) {
    std::filesystem::path folder;
    for (const auto& part : path.parent_path()) {
        folder /= part;
        if (::access(folder.c_str(), X_OK) != 0)
            break;
    }
    return folder.string();
}

Finding about_missing(const std::string& path) {
    if (const auto unit = unit_of_socket(path))
        return problem(kSubject, wire::format("{} is not there: its unit is not active", path),
                       wire::format("systemctl enable --now {}", *unit));
    std::error_code error;
    const auto folder = std::filesystem::absolute(path, error).parent_path();
    if (!std::filesystem::is_directory(folder, error))
        return problem(
            kSubject,
            wire::format("{} cannot be made: there is no folder {}", path, folder.string()),
            wire::format("mkdir -p {}", folder.string()));
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        return problem(
            kSubject,
            wire::format("{} cannot be made: this user may not write to {}", path, folder.string()),
            "use a folder of your own, such as /run/user/$UID");
    return ok(kSubject, wire::format("{} can be made", path));
}

// What is behind it nobody knows: a socket that works, perhaps.
Finding about_closed_folder(const std::string& path) {
    std::error_code error;
    const std::string folder = closed_folder(std::filesystem::absolute(path, error));
    return problem(
        kSubject,
        wire::format("{} cannot be looked at: this user may not look into {}", path, folder),
        "run the doctor as the user that starts ggml-virtgpu-host, or use a folder of your own, "
        "such as /run/user/$UID");
}

// systemd keeps its sockets' files, and their listeners.
Finding about_left_behind(const std::string& path) {
    if (const auto unit = unit_of_socket(path))
        return problem(kSubject, wire::format("nobody listens on {}", path),
                       wire::format("systemctl restart {}", *unit));
    return ok(kSubject, wire::format("{} was left behind and will be replaced", path));
}

std::string owner_of(const struct stat& status) {
    constexpr mode_t kPermissions = 0777;
    return wire::format("user {}, group {}, mode {:04o}", wire::user_name(status.st_uid),
                        wire::group_name(status.st_gid), status.st_mode & kPermissions);
}

Finding about(const SocketsCheck::Place& place) {
    const std::string& path = place.path;
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return problem(kSubject, wire::format("the path {} is too long for a socket", path),
                       wire::format("use at most {} bytes", sizeof(sockaddr_un::sun_path) - 1));
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return errno == EACCES ? about_closed_folder(path) : about_missing(path);
    if (!S_ISSOCK(status.st_mode))
        return problem(kSubject, wire::format("{} is no socket", path),
                       "remove it, or use another path");
    switch (connect_error(place)) {
        case 0:
        case EAGAIN:
            return ok(kSubject, wire::format("{} is listened on; {}", path, owner_of(status)));
        case ECONNREFUSED:
            return about_left_behind(path);
        case EPROTOTYPE:
            return problem(kSubject,
                           wire::format("{} is listened on, but not for {}", path,
                                        place.for_machines ? "VMMs" : "containers"),
                           "use one path for --socket-path and another for --listen");
        default:
            return warning(
                kSubject,
                wire::format("this user may not connect to {}: {}", path, owner_of(status)),
                unit_of_socket(path)
                    ? wire::format("join that group, or change SocketGroup= or SocketMode= by "
                                   "`systemctl edit {}`",
                                   *unit_of_socket(path))
                    : "join that group, or start ggml-virtgpu-host with another --socket-group "
                      "or --socket-mode");
    }
}

}  // namespace

Findings SocketsCheck::examine() {
    Findings findings;
    for (const Place& place : places_)
        findings.push_back(about(place));
    return findings;
}

}  // namespace virtgpu::doctor
