#include "device/vhost_user/message_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/reader.h"
#include "wire/sys/file_passing.h"
#include "wire/writer.h"

namespace virtgpu::vhost_user {

using wire::Fault;

namespace {

constexpr uint32_t kVersionMask = 3;

}  // namespace

Result<bool> MessageSocket::fill(size_t wanted) {
    while (received_.size() < wanted) {
        std::array<std::byte, kMaxPayload> buffer{};
        const auto [size, bytes_lost, files_lost] = wire::receive_with_files(
            number(), std::span(buffer).first(std::min(wanted - received_.size(), buffer.size())),
            kMaxFiles, files_);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (size == 0 || (size < 0 && errno == ECONNRESET))
            return fail(Fault::kLost, "the VMM closed the connection");
        if (size < 0)
            return wire::system_failure(errno, "receiving a vhost-user message");
        if (files_lost || files_.size() > kMaxFiles)
            return fail(Fault::kPeer, "a message with more than {} descriptors", kMaxFiles);
        received_.insert(received_.end(), buffer.begin(), buffer.begin() + size);
    }
    return true;
}

Result<uint32_t> MessageSocket::payload_size() const {
    uint32_t size = 0;
    std::memcpy(&size, received_.data() + 2 * sizeof(uint32_t), sizeof size);
    if (size > kMaxPayload)
        return fail(Fault::kPeer, "a message of {} bytes", size);
    return size;
}

Result<std::optional<Message>> MessageSocket::receive() {
    if (!TRY(fill(kHeaderBytes)))
        return std::optional<Message>();
    const uint32_t size = TRY(payload_size());
    if (!TRY(fill(kHeaderBytes + size)))
        return std::optional<Message>();
    const auto bytes = std::exchange(received_, {});
    wire::Reader reader(bytes);
    Message message;
    message.request = TRY(reader.number<uint32_t>());
    message.flags = TRY(reader.number<uint32_t>());
    if ((message.flags & kVersionMask) != Message::kVersion)
        return fail(Fault::kPeer, "a message of version {}", message.flags & kVersionMask);
    message.payload.assign(bytes.begin() + kHeaderBytes, bytes.end());
    message.files = std::exchange(files_, {});
    return std::optional(std::move(message));
}

Result<void> MessageSocket::send(uint32_t request, uint32_t flags,
                                 std::span<const std::byte> payload, std::span<const int> files) {
    if (files.size() > kMaxFiles)
        return fail(Fault::kRefused, "{} descriptors in one message", files.size());
    wire::Writer writer;
    writer.number(request);
    writer.number(flags | Message::kVersion);
    writer.number(static_cast<uint32_t>(payload.size()));
    if (!payload.empty())
        std::memcpy(writer.extend(payload.size()), payload.data(), payload.size());
    const ssize_t sent = wire::send_with_files(number(), writer.bytes(), files);
    if (sent < 0)
        return wire::system_failure(errno, "sending a vhost-user message");
    if (static_cast<size_t>(sent) != writer.bytes().size())
        return fail(Fault::kPeer, "the VMM does not take our messages");
    return {};
}

}  // namespace virtgpu::vhost_user
