// A Unix socket that tenants connect to.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::host {

enum class SocketType {
    kStream,  // vhost-user
    kPackets  // containers
};

// Who may open a socket's file. Connecting takes the right to write to it.
struct SocketPermissions {
    std::optional<mode_t> mode;  // else what the umask leaves of 0777
    std::optional<gid_t> group;  // else this process' own
};

// Removes the socket's file when it is destroyed, except after forget() or adopt().
class Listener {
 public:
    // A file that a program left behind is replaced. Nobody can connect before the file has its
    // permissions. Fault::kRefused, with what to do, when a program listens there or something else
    // is in the way.
    static wire::Result<Listener> create(const std::string& path, SocketType type,
                                         const SocketPermissions& permissions = {});
    // A socket that somebody else, such as systemd, made and listens on. Fault::kRefused when it is
    // none, or of a type that nobody connects to.
    static wire::Result<Listener> adopt(int socket);
    ~Listener();
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&&) = delete;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    int number() const { return socket_.number(); }
    SocketType type() const { return type_; }
    // For people: its path.
    const std::string& name() const { return name_; }
    wire::Result<wire::FileDescriptor> accept() const;
    // In a child process: the file is the parent's.
    void forget() { owns_file_ = false; }

 private:
    Listener(std::string name, SocketType type, wire::FileDescriptor socket, bool owns_file)
        : name_(std::move(name)), type_(type), socket_(std::move(socket)), owns_file_(owns_file) {}

    std::string name_;
    SocketType type_;
    wire::FileDescriptor socket_;
    bool owns_file_;
};

}  // namespace virtgpu::host
