#include "wire/sys/file_passing.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace virtgpu::wire {

namespace {

// Room for the control message that carries descriptors.
struct alignas(cmsghdr) Control {
    std::array<std::byte, CMSG_SPACE(kMostFiles * sizeof(int))> bytes{};
};

void take_files(msghdr& message, std::vector<FileDescriptor>& files) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
            files.emplace_back(number);
        }
    }
}

}  // namespace

ssize_t send_with_files(int socket, std::span<const std::byte> bytes, std::span<const int> files) {
    if (files.size() > kMostFiles) {
        errno = EINVAL;
        return -1;
    }
    iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
    Control space;
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!files.empty()) {
        message.msg_control = space.bytes.data();
        message.msg_controllen = CMSG_SPACE(files.size_bytes());
        cmsghdr* control = CMSG_FIRSTHDR(&message);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(files.size_bytes());
        std::memcpy(CMSG_DATA(control), files.data(), files.size_bytes());
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Receipt receive_with_files(int socket, std::span<std::byte> bytes, size_t most_files,
                           std::vector<FileDescriptor>& files) {
    iovec data{bytes.data(), bytes.size()};
    Control space;
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space.bytes.data();
    message.msg_controllen = CMSG_SPACE(std::min(most_files, kMostFiles) * sizeof(int));
    const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size >= 0)
        take_files(message, files);
    return {size, (message.msg_flags & MSG_TRUNC) != 0, (message.msg_flags & MSG_CTRUNC) != 0};
}

}  // namespace virtgpu::wire
