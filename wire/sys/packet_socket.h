// Messages with file descriptors over a SOCK_SEQPACKET socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::wire {

struct Packet {
    std::vector<std::byte> bytes;
    std::vector<FileDescriptor> files;
};

// One message is one packet: never split, never joined. Descriptors that arrive are close-on-exec.
class PacketSocket {
 public:
    // As many files as a guest's memory may be in, and two more.
    static constexpr size_t kMaxFiles = 10;

    explicit PacketSocket(FileDescriptor socket) : socket_(std::move(socket)) {}

    // Two connected ends.
    static Result<std::pair<PacketSocket, PacketSocket>> make_pair();
    static Result<PacketSocket> connect(const std::string& path);

    int number() const { return socket_.number(); }

    // Fault::kLost when the other side is gone; Fault::kRefused when its queue is full and
    // `timeout` passes. The descriptors stay the caller's.
    Result<void> send(std::span<const std::byte> bytes, std::span<const int> files = {},
                      std::chrono::milliseconds timeout = std::chrono::milliseconds(1000));
    // Waits for a packet; nothing when `timeout` passes. Fault::kLost when the other side is gone,
    // Fault::kPeer for a packet over kMaxMessageBytes.
    Result<std::optional<Packet>> receive(std::chrono::milliseconds timeout);

 private:
    FileDescriptor socket_;
};

}  // namespace virtgpu::wire
