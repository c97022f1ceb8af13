// Messages of the vhost-user protocol on a stream socket, both for the VMM's requests and for ours.
// Format: QEMU's docs/interop/vhost-user.rst, "Message Specification".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::vhost_user {

using wire::FileDescriptor;
using wire::Result;

struct Message {
    static constexpr uint32_t kVersion = 1;
    static constexpr uint32_t kReply = 1U << 2;
    static constexpr uint32_t kNeedReply = 1U << 3;

    uint32_t request = 0;
    uint32_t flags = 0;
    std::vector<std::byte> payload;
    std::vector<FileDescriptor> files;
};

// Never blocks. After any failure the connection is of no more use.
class MessageSocket {
 public:
    // Larger than any message that a VMM may send us.
    static constexpr uint32_t kMaxPayload = 4096;
    static constexpr size_t kMaxFiles = 8;

    explicit MessageSocket(FileDescriptor socket) : socket_(std::move(socket)) {}

    int number() const { return socket_.number(); }

    // The next message, or nothing when it has not come yet. Fault::kLost when the peer is gone,
    // Fault::kPeer when it breaks the format.
    Result<std::optional<Message>> receive();
    // A peer that does not take a whole message is a failure: neither side sends many unanswered.
    Result<void> send(uint32_t request, uint32_t flags, std::span<const std::byte> payload,
                      std::span<const int> files = {});

 private:
    static constexpr size_t kHeaderBytes = 12;

    // True when `wanted` bytes of the message have come.
    Result<bool> fill(size_t wanted);
    Result<uint32_t> payload_size() const;

    FileDescriptor socket_;
    std::vector<std::byte> received_;  // of the message that is on its way
    std::vector<FileDescriptor> files_;
};

}  // namespace virtgpu::vhost_user
