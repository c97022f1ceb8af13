#include "host/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "wire/sys/accounts.h"

namespace virtgpu::host {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

constexpr int kWaitingConnections = 16;
constexpr auto kSameUser = static_cast<uid_t>(-1);  // to chown

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Fault::kRefused, "the socket path '{}' must have 1 to {} bytes", path,
                    sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor new_socket(SocketType type, int flags) {
    const int kind = type == SocketType::kStream ? SOCK_STREAM : SOCK_SEQPACKET;
    return FileDescriptor(::socket(AF_UNIX, kind | SOCK_CLOEXEC | flags, 0));
}

// Removes a socket file that nobody listens on any more.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address, SocketType type) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return {};
    if (!S_ISSOCK(status.st_mode))
        return fail(Fault::kRefused, "'{}' exists and is no socket; remove it or use another path",
                    path);
    // Non-blocking: a program that listens but accepts nobody, and whose queue is full, would keep
    // us waiting. It says EAGAIN.
    const FileDescriptor probe = new_socket(type, SOCK_NONBLOCK);
    const int connected = ::connect(probe.number(), generic(address), sizeof address);
    // Another kind of socket that is listened on says EPROTOTYPE.
    if (connected == 0 || errno != ECONNREFUSED)
        return fail(Fault::kRefused,
                    "'{}' is in use by another program; end that one or use another path", path);
    ::unlink(path.c_str());
    return {};
}

Result<void> set_permissions(const std::string& path, const SocketPermissions& permissions) {
    if (permissions.group && ::chown(path.c_str(), kSameUser, *permissions.group) != 0)
        return wire::system_failure(errno,
                                    wire::format("giving the socket '{}' to group {}: only root or "
                                                 "a member of the group may",
                                                 path, wire::group_name(*permissions.group)));
    if (permissions.mode && ::chmod(path.c_str(), *permissions.mode) != 0)
        return wire::system_failure(errno, wire::format("setting the mode of '{}'", path));
    return {};
}

bool get_option(int socket, int name, int& value) {
    socklen_t bytes = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, name, &value, &bytes) == 0;
}

std::string path_of(int socket) {
    sockaddr_un address{};
    socklen_t bytes = sizeof address;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0 ||
        bytes <= offsetof(sockaddr_un, sun_path) || address.sun_path[0] == '\0')
        return wire::format("descriptor {}", socket);
    return std::string(address.sun_path,
                       ::strnlen(address.sun_path, bytes - offsetof(sockaddr_un, sun_path)));
}

}  // namespace

Result<Listener> Listener::create(const std::string& path, SocketType type,
                                  const SocketPermissions& permissions) {
    const sockaddr_un address = TRY(address_of(path));
    TRY(remove_stale(path, address, type));
    FileDescriptor socket = new_socket(type, 0);
    if (!socket)
        return wire::system_failure(errno, "making a socket");
    if (::bind(socket.number(), generic(address), sizeof address) != 0)
        return wire::system_failure(errno, wire::format("making the socket '{}'", path));
    Listener listener(path, type, std::move(socket), true);
    // Before listen(): until then everybody is refused.
    TRY(set_permissions(path, permissions));
    if (::listen(listener.number(), kWaitingConnections) != 0)
        return wire::system_failure(errno, wire::format("listening on '{}'", path));
    return listener;
}

Result<Listener> Listener::adopt(int socket) {
    int listens = 0;
    int kind = 0;
    if (!get_option(socket, SO_ACCEPTCONN, listens) || !get_option(socket, SO_TYPE, kind))
        return wire::system_failure(
            errno, wire::format("looking at descriptor {}, which should be a socket", socket));
    if (listens == 0 || (kind != SOCK_STREAM && kind != SOCK_SEQPACKET))
        return fail(Fault::kRefused,
                    "descriptor {} is no socket that listens for VMs (ListenStream=) or containers "
                    "(ListenSequentialPacket=)",
                    socket);
    const SocketType type = kind == SOCK_STREAM ? SocketType::kStream : SocketType::kPackets;
    return Listener(path_of(socket), type, FileDescriptor(socket), false);
}

Listener::Listener(Listener&& other) noexcept
    : name_(std::move(other.name_)),
      type_(other.type_),
      socket_(std::move(other.socket_)),
      owns_file_(std::exchange(other.owns_file_, false)) {}

Listener::~Listener() {
    if (owns_file_)
        ::unlink(name_.c_str());
}

Result<FileDescriptor> Listener::accept() const {
    FileDescriptor connection(::accept4(number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection)
        return wire::system_failure(errno, "accepting a connection");
    return connection;
}

}  // namespace virtgpu::host
