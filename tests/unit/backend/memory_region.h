// Shared memory and a ring for tests, both ends in one process.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "backend/regions.h"
#include "backend/ring_signals.h"
#include "wire/ring_memory.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::backend {

inline std::shared_ptr<wire::Region> make_region(size_t size) {
    const int file = ::memfd_create("test-region", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, static_cast<off_t>(size)) != 0)
        return nullptr;
    auto region = wire::map_region(file, size);
    ::close(file);
    return region ? *region : nullptr;
}

class TestRegions : public Regions {
 public:
    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override {
        const auto found = regions.find(number);
        if (found == regions.end())
            return wire::fail(wire::Fault::kPeer, "no region {}", number);
        return found->second;
    }

    std::map<uint32_t, std::shared_ptr<wire::Region>> regions;
};

// Counts, shared by the executor's RingSignals and the guest.
struct SignalState {
    std::mutex mutex;
    std::condition_variable changed;
    bool doorbell = false;
    bool interrupted = false;
    bool completion = false;

    void set(bool& flag) {
        {
            const std::lock_guard lock(mutex);
            flag = true;
        }
        changed.notify_all();
    }
};

class TestSignals : public RingSignals {
 public:
    explicit TestSignals(std::shared_ptr<SignalState> state) : state_(std::move(state)) {}

    void wait_doorbell() override {
        std::unique_lock lock(state_->mutex);
        state_->changed.wait(lock, [this] { return state_->doorbell || state_->interrupted; });
        state_->doorbell = false;
    }
    void signal_completion() override { state_->set(state_->completion); }
    void interrupt() override { state_->set(state_->interrupted); }

 private:
    std::shared_ptr<SignalState> state_;
};

}  // namespace virtgpu::backend
