// The device towards a container: one connection of the container socket, which is one tenant with
// one context. Messages: docs/PROTOCOL.md, "Container socket".
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "device/apir/renderer.h"
#include "device/event_loop.h"
#include "device/page_supply.h"
#include "device/sealed_memory.h"
#include "wire/generated/messages.h"
#include "wire/log.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::container {

using wire::Result;

class Endpoint {
 public:
    // All references must outlive the endpoint. `memory_limit`: bytes of all regions. `on_closed`
    // is called once, from the event loop, when the client is gone or broke the protocol.
    static Result<std::unique_ptr<Endpoint>> create(wire::PacketSocket socket,
                                                    apir::Renderer& renderer, uint64_t memory_limit,
                                                    device::EventLoop& loop, wire::Log& log,
                                                    std::function<void()> on_closed);
    ~Endpoint() { renderer_.destroy_all_contexts(); }
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

 private:
    // The header of a message, which its reply repeats.
    struct Header {
        uint32_t id = 0;
        uint32_t serial = 0;
    };

    Endpoint(wire::PacketSocket socket, apir::Renderer& renderer, apir::Context& context,
             uint64_t memory_limit, std::shared_ptr<device::PageSupply> pages, wire::Log& log,
             std::function<void()> on_closed);

    void readable();
    void close(const wire::Error& reason);
    Result<void> receive();
    Result<void> handle(const Header& header,
                        const protocol::ContainerCreateRegionRequest& request);
    Result<void> handle(const Header& header,
                        const protocol::ContainerDestroyRegionRequest& request);
    Result<void> handle(const Header& header, const protocol::ContainerSubmitRequest& request);
    Result<void> handle(const Header& header,
                        const protocol::ContainerGetRingEventsRequest& request);
    // A message of ours: no client sends it.
    static Result<void> handle(const Header& header, const wire::ContainerRefusedRequest& request);
    Result<device::SharedMemory> claim_region(uint64_t size);
    Result<void> hand_over(const Header& header, uint32_t number, const Result<void>& pages);
    template <typename Reply>
    Result<void> reply(const Header& header, const Reply& fields, std::span<const int> files = {});

    wire::PacketSocket socket_;
    apir::Renderer& renderer_;
    apir::Context& context_;
    wire::Log& log_;
    std::function<void()> on_closed_;
    std::shared_ptr<device::PageSupply> pages_;
    device::SealedMemoryAllocator allocator_;
    std::map<uint32_t, device::SharedMemory> regions_;
    uint32_t next_region_ = 1;
    bool closed_ = false;
    device::Watch watch_;
    // What comes later asks whether we are still there.
    std::shared_ptr<const int> lifetime_ = std::make_shared<int>(0);
};

}  // namespace virtgpu::container
