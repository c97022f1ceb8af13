// Over the container's socket, where a kernel would be.
#pragma once

#include <atomic>
#include <string>

#include "tests/apir/guest_device.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::test {

class SocketDevice : public GuestDevice {
 public:
    explicit SocketDevice(const std::string& path);

    Blob create_blob(size_t size) override;
    void destroy_blob(const Blob& blob) override;
    void submit(std::span<const std::byte> command) override;

 private:
    template <typename Fields>
    void send(uint32_t id, const Fields& fields);

    wire::PacketSocket socket_;
    std::atomic<uint32_t> serial_{0};
};

}  // namespace virtgpu::test
