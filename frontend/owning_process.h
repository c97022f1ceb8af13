#pragma once

#include <unistd.h>

namespace virtgpu::frontend {

// Tells the process that made a connection from a copy that fork() left in a child. The child
// shares the parent's sockets, DRM file and rings and must not touch them.
class OwningProcess {
 public:
    bool is_this() const { return ::getpid() == id_; }

 private:
    pid_t id_ = ::getpid();
};

}  // namespace virtgpu::frontend
