// Bytes together with file descriptors, over a Unix socket.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "wire/sys/file_descriptor.h"

namespace virtgpu::wire {

// Descriptors that may go with one call.
inline constexpr size_t kMostFiles = 8;

// What sendmsg returns, and its errno; does not wait. The descriptors stay the caller's.
ssize_t send_with_files(int socket, std::span<const std::byte> bytes, std::span<const int> files);

struct Receipt {
    ssize_t size = 0;         // what recvmsg returns, and its errno
    bool bytes_lost = false;  // of a packet that is larger than `bytes`
    bool files_lost = false;  // more than `most_files` came
};

// Does not wait. Appends the descriptors that came, close-on-exec, to `files`, so that they are
// closed even when the message is refused.
Receipt receive_with_files(int socket, std::span<std::byte> bytes, size_t most_files,
                           std::vector<FileDescriptor>& files);

}  // namespace virtgpu::wire
