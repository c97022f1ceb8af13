// A Unix socket that tenants connect to.
#pragma once

#include <string>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::host {

enum class SocketType {
    kStream,  // vhost-user
    kPackets  // containers
};

// Removes the socket's file when it is destroyed, except after forget().
class Listener {
 public:
    // A file that a program left behind is replaced. Fault::kRefused, with what to do, when a
    // program listens there or something else is in the way.
    static wire::Result<Listener> create(const std::string& path, SocketType type);
    ~Listener();
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&&) = delete;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    int number() const { return socket_.number(); }
    wire::Result<wire::FileDescriptor> accept() const;
    // In a child process: the file is the parent's.
    void forget() { path_.clear(); }

 private:
    Listener(std::string path, wire::FileDescriptor socket)
        : path_(std::move(path)), socket_(std::move(socket)) {}

    std::string path_;
    wire::FileDescriptor socket_;
};

}  // namespace virtgpu::host
