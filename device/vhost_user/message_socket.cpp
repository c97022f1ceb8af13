#include "device/vhost_user/message_socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/reader.h"
#include "wire/writer.h"

namespace virtgpu::vhost_user {

using wire::Fault;

namespace {

constexpr uint32_t kVersionMask = 3;

void take_files(msghdr& header, std::vector<FileDescriptor>& files) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
         control = CMSG_NXTHDR(&header, control)) {
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

Result<bool> MessageSocket::fill(size_t wanted) {
    while (received_.size() < wanted) {
        std::array<std::byte, kMaxPayload> buffer{};
        iovec data{buffer.data(), std::min(wanted - received_.size(), buffer.size())};
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMaxFiles * sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &data;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(number(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (size == 0 || (size < 0 && errno == ECONNRESET))
            return fail(Fault::kLost, "the VMM closed the connection");
        if (size < 0)
            return wire::system_failure(errno, "receiving a vhost-user message");
        take_files(header, files_);
        if ((header.msg_flags & MSG_CTRUNC) != 0 || files_.size() > kMaxFiles)
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
    iovec data{const_cast<std::byte*>(writer.bytes().data()), writer.bytes().size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMaxFiles * sizeof(int))> control_bytes{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (!files.empty()) {
        header.msg_control = control_bytes.data();
        header.msg_controllen = CMSG_SPACE(files.size_bytes());
        cmsghdr* control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(files.size_bytes());
        std::memcpy(CMSG_DATA(control), files.data(), files.size_bytes());
    }
    const ssize_t sent = ::sendmsg(number(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return wire::system_failure(errno, "sending a vhost-user message");
    if (static_cast<size_t>(sent) != writer.bytes().size())
        return fail(Fault::kPeer, "the VMM does not take our messages");
    return {};
}

}  // namespace virtgpu::vhost_user
