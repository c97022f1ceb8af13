#include "device/container/endpoint.h"

#include <array>
#include <utility>

#include "device/limits.h"

namespace virtgpu::container {

using protocol::OpenStatus;
using wire::Fault;

namespace {

constexpr uint32_t kContext = 1;
constexpr std::chrono::milliseconds kAtOnce(0);
// Messages served at once; then the worker gets a turn.
constexpr int kMessagesAtOnce = 64;

}  // namespace

Endpoint::Endpoint(wire::PacketSocket socket, apir::Renderer& renderer, apir::Context& context,
                   uint64_t memory_limit, std::shared_ptr<device::PageSupply> pages, wire::Log& log,
                   std::function<void()> on_closed)
    : socket_(std::move(socket)),
      renderer_(renderer),
      context_(context),
      log_(log),
      on_closed_(std::move(on_closed)),
      pages_(std::move(pages)),
      allocator_(memory_limit, pages_) {}

Result<std::unique_ptr<Endpoint>> Endpoint::create(wire::PacketSocket socket,
                                                   apir::Renderer& renderer, uint64_t memory_limit,
                                                   device::EventLoop& loop, wire::Log& log,
                                                   std::function<void()> on_closed) {
    apir::Context* context = TRY(renderer.create_context(kContext, "container"));
    auto pages = TRY(device::PageSupply::create(loop));
    std::unique_ptr<Endpoint> endpoint(new Endpoint(std::move(socket), renderer, *context,
                                                    memory_limit, std::move(pages), log,
                                                    std::move(on_closed)));
    renderer.set_room([self = endpoint.get()] { return self->allocator_.room(); });
    endpoint->watch_ = TRY(loop.watch(endpoint->socket_.number(), device::Interest::kReadable,
                                      [self = endpoint.get()] { self->readable(); }));
    return endpoint;
}

void Endpoint::readable() {
    if (const auto received = receive(); !received)
        close(received.error());
}

void Endpoint::close(const wire::Error& reason) {
    if (std::exchange(closed_, true))
        return;
    if (reason.fault() == Fault::kLost)
        log_.info("the client closed the connection");
    else
        log_.warning("the connection to the client is closed: {}", reason.message());
    watch_.reset();
    on_closed_();
}

Result<void> Endpoint::receive() {
    for (int count = 0; count < kMessagesAtOnce; ++count) {
        // Descriptors that a client sends are closed with the packet.
        const auto packet = TRY(socket_.receive(kAtOnce));
        if (!packet)
            break;
        wire::Reader reader(packet->bytes);
        Header header;
        header.id = TRY(reader.number<uint32_t>());
        header.serial = TRY(reader.number<uint32_t>());
        const auto request = TRY(wire::decode_container_request(
            header.id, std::span(packet->bytes).subspan(2 * sizeof(uint32_t))));
        TRY(std::visit([&](const auto& decoded) { return handle(header, decoded); }, request));
    }
    return {};
}

template <typename Reply>
Result<void> Endpoint::reply(const Header& header, const Reply& fields,
                             std::span<const int> files) {
    wire::Writer writer;
    writer.number(header.id);
    writer.number(header.serial);
    TRY(wire::encode(writer, fields));
    // A client that asks without reading answers is no client.
    return socket_.send(writer.bytes(), files, kAtOnce);
}

Result<device::SharedMemory> Endpoint::claim_region(uint64_t size) {
    if (regions_.size() >= renderer_.limits().regions)
        return fail(Fault::kRefused, "all {} regions are in use", renderer_.limits().regions);
    return allocator_.claim(size);
}

Result<void> Endpoint::handle(const Header& header,
                              const protocol::ContainerCreateRegionRequest& request) {
    auto memory = claim_region(request.size);
    if (!memory) {
        log_.debug("no region for the client: {}", memory.error().message());
        return reply(header, protocol::ContainerCreateRegionReply{});
    }
    const uint32_t number = next_region_++;
    regions_.emplace(number, *memory);
    const std::weak_ptr<const int> lifetime = lifetime_;
    pages_->provide(std::move(*memory), [=, this](const Result<void>& pages) {
        if (lifetime.expired())
            return;
        if (const auto handed = hand_over(header, number, pages); !handed)
            close(handed.error());
    });
    return {};
}

Result<void> Endpoint::hand_over(const Header& header, uint32_t number, const Result<void>& pages) {
    const auto region = regions_.find(number);
    if (!pages || region == regions_.end()) {
        regions_.erase(number);
        log_.debug("no region for the client: {}",
                   pages ? "it was destroyed" : pages.error().message());
        return reply(header, protocol::ContainerCreateRegionReply{});
    }
    const device::SharedMemory memory = region->second;
    context_.attach(number, memory);
    const std::array<int, 1> file{memory->file()};
    return reply(header, protocol::ContainerCreateRegionReply{number, memory->size()}, file);
}

Result<void> Endpoint::handle(const Header& /*header*/,
                              const protocol::ContainerDestroyRegionRequest& request) {
    if (regions_.erase(request.region) == 0)
        return fail(Fault::kPeer, "region {} does not exist", request.region);
    context_.detach(request.region);
    return {};
}

Result<void> Endpoint::handle(const Header& /*header*/,
                              const protocol::ContainerSubmitRequest& request) {
    context_.submit(std::as_bytes(std::span(request.command)), {});
    return {};
}

Result<void> Endpoint::handle(const Header& header,
                              const protocol::ContainerGetRingEventsRequest& request) {
    apir::Ring* ring = context_.open_ring(request.ring);
    if (ring == nullptr)
        return reply(header, protocol::ContainerGetRingEventsReply{OpenStatus::kRefused});
    const std::array files{ring->doorbell().number(), ring->completion().number()};
    ring->hand_out();
    return reply(header, protocol::ContainerGetRingEventsReply{OpenStatus::kOk}, files);
}

Result<void> Endpoint::handle(const Header& /*header*/,
                              const wire::ContainerRefusedRequest& /*request*/) {
    return fail(Fault::kPeer, "the client refuses us");
}

}  // namespace virtgpu::container
