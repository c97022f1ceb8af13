#pragma once

#include <array>
#include <mutex>
#include <string>

#include "frontend/owning_process.h"
#include "frontend/transport/transport.h"
#include "protocol/generated/structures.h"
#include "wire/generated/codec.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::frontend {

// A context over the container socket (docs/PROTOCOL.md, "Container socket"): the device process
// hands out sealed memfds and each ring's two eventfds.
class SocketTransport : public Transport {
 public:
    static wire::Result<std::unique_ptr<SocketTransport>> connect(const std::string& path);
    explicit SocketTransport(wire::PacketSocket socket) : socket_(std::move(socket)) {}

    std::string name() const override { return "socket"; }
    std::string advice() const override {
        return "check that ggml-virtgpu-host runs, then start this program again";
    }
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) override;
    wire::Result<void> submit(std::span<const std::byte> command) override;
    wire::Result<void> open_signals(uint32_t ring) override;
    void close_signals(uint32_t ring) override;
    wire::Result<void> doorbell(uint32_t ring) override;
    wire::Result<void> wait(uint32_t ring, std::chrono::microseconds timeout) override;
    bool connected() const override;

 private:
    friend class SocketRegion;

    struct Signals {
        wire::FileDescriptor doorbell;
        wire::FileDescriptor completion;
    };
    struct Answer {
        std::vector<std::byte> fields;
        std::vector<wire::FileDescriptor> files;
    };

    wire::Result<void> check_owner() const;
    wire::Result<void> send(protocol::ContainerMessage id, uint32_t serial,
                            const wire::Writer& fields);
    // Sends a message and waits for its answer.
    wire::Result<Answer> ask(protocol::ContainerMessage id, const wire::Writer& fields,
                             std::chrono::seconds more_time = {});
    wire::Result<Answer> await_answer(protocol::ContainerMessage id, uint32_t serial,
                                      std::chrono::seconds longest);
    // What the host said before it closed the connection, else `error`.
    wire::Error why(wire::Error error);
    void destroy_region(uint32_t number);

    wire::PacketSocket socket_;
    OwningProcess owner_;
    std::mutex asking_;
    uint32_t serial_ = 0;
    std::array<Signals, protocol::kMaxRings> signals_;
};

}  // namespace virtgpu::frontend
