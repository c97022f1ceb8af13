#pragma once

#include <memory>
#include <mutex>

#include "frontend/apir_client.h"
#include "frontend/generated/stubs.h"
#include "frontend/session_health.h"
#include "frontend/transport/transport.h"
#include "wire/guest_ring.h"

namespace virtgpu::frontend {

// What all rings of a connection share. All of it outlives the rings.
struct RingServices {
    Transport& transport;
    ApirClient& apir;
    SessionHealth& health;
};

// One ring: commands that wait for their reply, one at a time, and a staging area behind the ring
// for bytes too many for it. Thread safe. Every wait ends: within two seconds of the worker's or
// the device process' death the session is lost and calls fail.
class RingChannel : public CommandStubs {
 public:
    static constexpr uint32_t kRequestBytes = 256 * 1024;
    static constexpr uint32_t kReplyBytes = 64 * 1024;

    // Fault::kRefused when the host does not want the ring.
    static wire::Result<std::unique_ptr<RingChannel>> open(RingServices services, uint32_t ring,
                                                           size_t staging_bytes);
    RingChannel(RingServices services, uint32_t ring, std::unique_ptr<SharedRegion> region,
                wire::RingMemory memory, size_t staging_bytes);
    ~RingChannel() override;
    RingChannel(const RingChannel&) = delete;
    RingChannel& operator=(const RingChannel&) = delete;

    uint32_t number() const { return number_; }
    SessionHealth& health() { return services_.health; }

    // Places of the bytes that set_tensor, get_tensor and compute_graph name. Whoever uses them
    // holds the lock from before the bytes are put there until they were taken.
    class Staging {
     public:
        size_t size() const { return channel_.staging_bytes_; }
        // The staging area's first bytes, as the host knows them.
        protocol::RegionSpan span(size_t size) const;
        wire::BulkData bytes(size_t size) const;

     private:
        friend class RingChannel;
        explicit Staging(RingChannel& channel) : channel_(channel), lock_(channel.staging_mutex_) {}

        RingChannel& channel_;
        std::unique_lock<std::mutex> lock_;
    };
    Staging lock_staging() { return Staging(*this); }
    // For bytes that do not fit the staging area.
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size);

 protected:
    wire::Result<std::vector<std::byte>> call(protocol::Command command,
                                              std::span<const std::byte> request) override;

 private:
    wire::Result<uint64_t> send(protocol::Command command, std::span<const std::byte> request);
    wire::Result<void> await_reply(uint64_t sequence);
    wire::Result<void> check_host();
    wire::Result<std::vector<std::byte>> take_reply(uint64_t sequence);
    tl::unexpected<wire::Error> lose(const wire::Error& error);

    RingServices services_;
    uint32_t number_;
    std::unique_ptr<SharedRegion> region_;
    size_t staging_bytes_;
    std::mutex staging_mutex_;
    std::mutex mutex_;
    wire::GuestRing ring_;
};

}  // namespace virtgpu::frontend
