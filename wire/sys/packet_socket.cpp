#include "wire/sys/packet_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "protocol/generated/structures.h"
#include "wire/sys/file_passing.h"

namespace virtgpu::wire {

namespace {

// True when ready, false when the time is over. Whether a hang-up matters, the next call tells.
Result<bool> wait_ready(int socket, short events, std::chrono::milliseconds timeout) {
    pollfd poll_entry{socket, events, 0};
    const int ready = ::poll(&poll_entry, 1, static_cast<int>(timeout.count()));
    if (ready < 0 && errno != EINTR)
        return system_failure(errno, "waiting for a socket");
    return ready > 0;
}

bool peer_is_gone(int error_number) {
    return error_number == EPIPE || error_number == ECONNRESET || error_number == ENOTCONN;
}

}  // namespace

Result<std::pair<PacketSocket, PacketSocket>> PacketSocket::make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return system_failure(errno, "making a socket pair");
    return std::pair(PacketSocket(FileDescriptor(ends[0])), PacketSocket(FileDescriptor(ends[1])));
}

Result<PacketSocket> PacketSocket::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(Fault::kRefused, "the socket path '{}' is longer than {} bytes", path,
                    sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.data(), path.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket)
        return system_failure(errno, "making a socket");
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0)
        return system_failure(errno, wire::format("connecting to '{}'", path));
    return PacketSocket(std::move(socket));
}

Result<void> PacketSocket::send(std::span<const std::byte> bytes, std::span<const int> files,
                                std::chrono::milliseconds timeout) {
    if (files.size() > kMaxFiles)
        return fail(Fault::kRefused, "{} descriptors in one packet", files.size());
    while (send_with_files(number(), bytes, files) < 0) {
        if (peer_is_gone(errno))
            return fail(Fault::kLost, "the other side closed the socket");
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return system_failure(errno, "sending a message");
        if (!TRY(wait_ready(number(), POLLOUT, timeout)))
            return fail(Fault::kRefused, "the other side takes no messages");
    }
    return {};
}

Result<std::optional<Packet>> PacketSocket::receive(std::chrono::milliseconds timeout) {
    if (!TRY(wait_ready(number(), POLLIN, timeout)))
        return std::optional<Packet>();
    Packet packet;
    packet.bytes.resize(protocol::kMaxMessageBytes);
    const auto [size, bytes_lost, files_lost] =
        receive_with_files(number(), packet.bytes, kMaxFiles, packet.files);
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return std::optional<Packet>();
    if (size == 0 || (size < 0 && peer_is_gone(errno)))
        return fail(Fault::kLost, "the other side closed the socket");
    if (size < 0)
        return system_failure(errno, "receiving a message");
    if (bytes_lost || files_lost)
        return fail(Fault::kPeer, "a message with more than {} bytes or {} descriptors",
                    protocol::kMaxMessageBytes, kMaxFiles);
    packet.bytes.resize(static_cast<size_t>(size));
    return std::optional(std::move(packet));
}

}  // namespace virtgpu::wire
