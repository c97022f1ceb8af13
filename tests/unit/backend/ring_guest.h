// A guest's end of a ring that is served in the same process.
#pragma once

#include "tests/unit/backend/memory_region.h"
#include "tests/unit/wire/polling_guest.h"

namespace virtgpu::backend {

class RingGuest : public test::PollingGuest {
 public:
    static constexpr uint32_t kBytes = 65536;

    RingGuest() : RingGuest(make_region(wire::RingMemory::bytes_needed(kBytes, kBytes))) {}

    wire::RingMemory host_memory() const {
        return *wire::RingMemory::create(region, kBytes, kBytes);
    }
    std::unique_ptr<RingSignals> host_signals() const {
        return std::make_unique<TestSignals>(signals);
    }
    void ring_doorbell() override { signals->set(signals->doorbell); }

    std::shared_ptr<wire::Region> region;
    std::shared_ptr<SignalState> signals = std::make_shared<SignalState>();

 private:
    explicit RingGuest(const std::shared_ptr<wire::Region>& memory)
        : PollingGuest(*wire::RingMemory::create(memory, kBytes, kBytes)), region(memory) {}
};

}  // namespace virtgpu::backend
