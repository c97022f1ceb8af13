// A host that speaks upstream's APIR and nothing else: one device, one command at a time.
#pragma once

#include <memory>
#include <mutex>

#include "frontend/apir_client.h"
#include "frontend/device.h"
#include "frontend/generated/forward_stubs.h"
#include "frontend/transport/transport.h"

namespace virtgpu::frontend {

class UpstreamHost : public HostConnection, private ForwardStubs {
 public:
    // What a graph may take, after which the host is lost: nothing in level 1 tells a host that is
    // gone from one that computes. As long as ggml-virtgpu-host allows a graph by default.
    static constexpr std::chrono::seconds kGraphTimeout{600};

    // After the handshake, which `apir` went through. `log` outlives the connection.
    static wire::Result<std::unique_ptr<UpstreamHost>> open(
        std::unique_ptr<Transport> transport, std::unique_ptr<ApirClient> apir, wire::Log& log,
        std::chrono::milliseconds graph_timeout = kGraphTimeout);

    wire::Log& log() override { return log_; }
    SessionHealth& health() override { return health_; }
    uint32_t device_count() const override { return devices_; }
    std::unique_ptr<Device> make_device(uint32_t index, std::string name) override;
    // Level 1 has none.
    wire::Result<std::byte*> allocate_host_memory(size_t size) override;
    void free_host_memory(std::byte* /*memory*/) override {}

    // Upstream's commands. A host that refuses one is not lost by it.
    ForwardStubs& commands() { return *this; }
    std::string transport_name() const { return transport_->name(); }

    // Memory for one transfer or graph, at its start.
    class Exchange {
     public:
        uint32_t region() const { return region_->number(); }
        wire::Region& memory() const { return *region_->memory(); }

     private:
        friend class UpstreamHost;
        Exchange(std::unique_lock<std::mutex> lock, const SharedRegion& region)
            : lock_(std::move(lock)), region_(&region) {}
        std::unique_lock<std::mutex> lock_;
        const SharedRegion* region_;
    };
    // Waits until nobody else uses it. Grows where `size` is larger than it ever was.
    wire::Result<Exchange> exchange(size_t size);
    // What a transfer takes at once: as much as upstream's frontend has its region for, so that a
    // host with a small window has room for ours too. 24.19 MiB, in whole granules.
    static constexpr size_t kTransferBytes = 0x1830000;

    // In whole granules, as hosts with large pages need it.
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size);

 private:
    UpstreamHost(std::unique_ptr<Transport> transport, std::unique_ptr<ApirClient> apir,
                 wire::Log& log, std::chrono::milliseconds graph_timeout)
        : log_(log),
          graph_timeout_(graph_timeout),
          transport_(std::move(transport)),
          apir_(std::move(apir)),
          health_(log) {}
    wire::Result<std::vector<std::byte>> forward(protocol::ForwardCommand command,
                                                 std::span<const std::byte> arguments) override;

    wire::Log& log_;
    const std::chrono::milliseconds graph_timeout_;
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<ApirClient> apir_;
    SessionHealth health_;
    uint32_t devices_ = 0;
    std::mutex exchanging_;
    std::unique_ptr<SharedRegion> exchange_;
};

}  // namespace virtgpu::frontend
