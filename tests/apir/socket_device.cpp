#include "tests/apir/socket_device.h"

#include <sys/mman.h>

#include <cstring>
#include <stdexcept>

#include "wire/generated/codec.h"

namespace virtgpu::test {

using protocol::ContainerMessage;

namespace {

wire::PacketSocket connect(const std::string& path) {
    auto socket = wire::PacketSocket::connect(path);
    if (!socket)
        throw std::runtime_error(socket.error().message());
    return std::move(*socket);
}

}  // namespace

SocketDevice::SocketDevice(const std::string& path) : socket_(connect(path)) {}

template <typename Fields>
void SocketDevice::send(uint32_t id, const Fields& fields) {
    wire::Writer message;
    message.number(id);
    message.number(++serial_);
    if (!wire::encode(message, fields) || !socket_.send(message.bytes()))
        throw std::runtime_error("the host is gone");
}

Blob SocketDevice::create_blob(size_t size) {
    send(static_cast<uint32_t>(ContainerMessage::kCreateRegion),
         protocol::ContainerCreateRegionRequest{size});
    const auto packet = socket_.receive(std::chrono::seconds(30));
    if (!packet || !*packet || (*packet)->files.size() != 1)
        throw std::runtime_error("no region");
    const auto reply = wire::decode_whole<protocol::ContainerCreateRegionReply>(
        std::span((*packet)->bytes).subspan(2 * sizeof(uint32_t)));
    if (!reply || reply->region == 0)
        throw std::runtime_error("no region");
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, (*packet)->files[0].number(), 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no place for a region");
    return {reply->region, static_cast<std::byte*>(memory), size};
}

void SocketDevice::destroy_blob(const Blob& blob) {
    ::munmap(blob.memory, blob.size);
    send(static_cast<uint32_t>(ContainerMessage::kDestroyRegion),
         protocol::ContainerDestroyRegionRequest{blob.resource});
}

void SocketDevice::submit(std::span<const std::byte> command) {
    protocol::ContainerSubmitRequest request;
    request.command.resize(command.size() / sizeof(uint32_t));
    std::memcpy(request.command.data(), command.data(), command.size());
    send(static_cast<uint32_t>(ContainerMessage::kSubmit), request);
}

}  // namespace virtgpu::test
