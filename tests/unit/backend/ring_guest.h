// A guest's end of a ring that is served in the same process.
#pragma once

#include <chrono>

#include "frontend/generated/stubs.h"
#include "tests/unit/backend/memory_region.h"
#include "wire/guest_ring.h"

namespace virtgpu::backend {

class RingGuest : public frontend::CommandStubs {
 public:
    static constexpr uint32_t kBytes = 65536;

    RingGuest()
        : region(make_region(wire::RingMemory::bytes_needed(kBytes, kBytes))),
          ring(*wire::RingMemory::create(region, kBytes, kBytes)) {}

    wire::RingMemory host_memory() const {
        return *wire::RingMemory::create(region, kBytes, kBytes);
    }
    std::unique_ptr<RingSignals> host_signals() const {
        return std::make_unique<TestSignals>(signals);
    }

    uint64_t send(protocol::Command command, std::span<const std::byte> request) {
        const uint64_t sequence = **ring.send(command, after, request);
        if (ring.doorbell_needed())
            signals->set(signals->doorbell);
        return sequence;
    }

    // Nothing when no reply comes in time.
    std::optional<wire::Reply> receive(
        std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
        const auto end = std::chrono::steady_clock::now() + timeout;
        while (std::chrono::steady_clock::now() < end) {
            auto reply = ring.receive();
            if (reply && *reply)
                return std::move(**reply);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        return std::nullopt;
    }

    std::shared_ptr<wire::Region> region;
    wire::GuestRing ring;
    std::shared_ptr<SignalState> signals = std::make_shared<SignalState>();
    uint64_t after = 0;  // of what is sent next
    std::optional<protocol::Status> last_status;
    std::string last_message;

 protected:
    wire::Result<std::vector<std::byte>> call(protocol::Command command,
                                              std::span<const std::byte> request) override {
        const uint64_t sequence = send(command, request);
        auto reply = receive();
        if (!reply || reply->sequence != sequence)
            return wire::fail(wire::Fault::kLost, "no reply");
        last_status = reply->status;
        if (reply->status == protocol::Status::kOk)
            return std::move(reply->payload);
        wire::Reader reader(reply->payload);
        last_message = *reader.string(protocol::kMaxTextLength);
        return wire::fail(reply->status == protocol::Status::kRefused ? wire::Fault::kRefused
                                                                      : wire::Fault::kLost,
                          "{}", last_message);
    }
};

}  // namespace virtgpu::backend
