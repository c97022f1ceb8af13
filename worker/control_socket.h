// The worker's end of the socket to its device process.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "wire/generated/messages.h"
#include "wire/log.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::worker {

struct ControlMessage {
    wire::WorkerRequest request;
    std::vector<wire::FileDescriptor> files;
};

// Messages may be sent from any thread and are received by one. One that cannot be sent is only
// logged: then the device process is going away.
class ControlSocket {
 public:
    ControlSocket(wire::PacketSocket socket, wire::Log& log)
        : socket_(std::move(socket)), log_(log) {}

    // Nothing when `timeout` passes; Fault::kLost when the device process is gone.
    wire::Result<std::optional<ControlMessage>> receive(std::chrono::milliseconds timeout);

    void context_opened(uint32_t context, protocol::OpenStatus status);
    void ring_opened(uint32_t context, uint32_t ring, protocol::OpenStatus status);
    void forwarded(uint32_t context, uint32_t serial);
    void context_failed(uint32_t context, const std::string& reason);

 private:
    template <typename T>
    void send(protocol::WorkerMessage id, const T& message);

    wire::PacketSocket socket_;
    wire::Log& log_;
    std::mutex sending_;
};

}  // namespace virtgpu::worker
