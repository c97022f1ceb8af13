#include "host/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace virtgpu::host {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

constexpr int kWaitingConnections = 16;

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

}  // namespace

Result<Listener> Listener::create(const std::string& path, SocketType type) {
    const sockaddr_un address = TRY(address_of(path));
    TRY(remove_stale(path, address, type));
    FileDescriptor socket = new_socket(type, 0);
    if (!socket)
        return wire::system_failure(errno, "making a socket");
    if (::bind(socket.number(), generic(address), sizeof address) != 0)
        return wire::system_failure(errno, wire::format("making the socket '{}'", path));
    Listener listener(path, std::move(socket));
    if (::listen(listener.number(), kWaitingConnections) != 0)
        return wire::system_failure(errno, wire::format("listening on '{}'", path));
    return listener;
}

Listener::Listener(Listener&& other) noexcept
    : path_(std::exchange(other.path_, {})), socket_(std::move(other.socket_)) {}

Listener::~Listener() {
    if (!path_.empty())
        ::unlink(path_.c_str());
}

Result<FileDescriptor> Listener::accept() const {
    FileDescriptor connection(::accept4(number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection)
        return wire::system_failure(errno, "accepting a connection");
    return connection;
}

}  // namespace virtgpu::host
