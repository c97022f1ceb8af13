#include "frontend/level1/upstream_host.h"

#include "frontend/level1/upstream_device.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

constexpr size_t kGranule = 16384;
// For all but graphs. Allocating and reading weights may take long.
constexpr std::chrono::milliseconds kCommandTimeout(120'000);

}  // namespace

Result<std::unique_ptr<UpstreamHost>> UpstreamHost::open(std::unique_ptr<Transport> transport,
                                                         std::unique_ptr<ApirClient> apir,
                                                         wire::Log& log,
                                                         std::chrono::milliseconds graph_timeout) {
    std::unique_ptr<UpstreamHost> host(
        new UpstreamHost(std::move(transport), std::move(apir), log, graph_timeout));
    TRY(host->exchange(kTransferBytes));
    // No command says which device it means, so there is one at most.
    host->devices_ = TRY(host->device_get_count()).count > 0 ? 1 : 0;
    log.info("{}: connected; the host speaks level 1 (APIR) only", host->transport_->name());
    return host;
}

std::unique_ptr<Device> UpstreamHost::make_device(uint32_t /*index*/, std::string name) {
    return std::make_unique<UpstreamDevice>(*this, std::move(name));
}

Result<std::byte*> UpstreamHost::allocate_host_memory(size_t /*size*/) {
    return wire::fail(Fault::kRefused, "hosts of level 1 share no memory of applications");
}

Result<std::unique_ptr<SharedRegion>> UpstreamHost::create_region(size_t size) {
    return transport_->create_region((size + kGranule - 1) / kGranule * kGranule);
}

Result<UpstreamHost::Exchange> UpstreamHost::exchange(size_t size) {
    // A forked child must not wait for a lock that nobody gives back there.
    TRY(health_.check());
    std::unique_lock lock(exchanging_);
    if (!exchange_ || exchange_->memory()->size() < size) {
        exchange_ = nullptr;
        exchange_ = TRY(create_region(size));
    }
    return Exchange(std::move(lock), *exchange_);
}

Result<std::vector<std::byte>> UpstreamHost::forward(protocol::ForwardCommand command,
                                                     std::span<const std::byte> arguments) {
    TRY(health_.check());
    const bool computes = command == protocol::ForwardCommand::kBackendGraphCompute;
    auto page = apir_->forward(command, arguments, computes ? graph_timeout_ : kCommandTimeout);
    if (!page && page.error().fault() != Fault::kRefused)
        return health_.lose(page.error().message());
    return page;
}

}  // namespace virtgpu::frontend
