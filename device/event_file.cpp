#include "device/event_file.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace virtgpu::device {

using wire::Result;

Result<EventFile> EventFile::create() {
    wire::FileDescriptor file(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!file)
        return wire::system_failure(errno, "creating an eventfd");
    return EventFile(std::move(file));
}

Result<EventFile> EventFile::adopt(wire::FileDescriptor file) {
    const int flags = ::fcntl(file.number(), F_GETFL);
    // The sandbox ends a process that asks for signals, and a file may come with that wish.
    if (flags < 0 || ::fcntl(file.number(), F_SETFL, (flags & ~O_ASYNC) | O_NONBLOCK) != 0)
        return wire::system_failure(errno, "preparing an eventfd");
    return EventFile(std::move(file));
}

void EventFile::signal() const {
    const uint64_t one = 1;
    while (::write(file_.number(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool EventFile::take() const {
    uint64_t count = 0;
    return ::read(file_.number(), &count, sizeof count) == sizeof count;
}

}  // namespace virtgpu::device
