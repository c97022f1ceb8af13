// How bytes get to the host: a virtio-gpu device (DrmTransport) or a socket (SocketTransport).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "wire/region.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Memory that the host knows by number. The destructor gives the number back; whoever still holds
// memory() keeps the mapping.
class SharedRegion {
 public:
    virtual ~SharedRegion() = default;
    SharedRegion(const SharedRegion&) = delete;
    SharedRegion& operator=(const SharedRegion&) = delete;

    uint32_t number() const { return number_; }
    const std::shared_ptr<wire::Region>& memory() const { return memory_; }

 protected:
    SharedRegion(uint32_t number, std::shared_ptr<wire::Region> memory)
        : number_(number), memory_(std::move(memory)) {}

 private:
    uint32_t number_;
    std::shared_ptr<wire::Region> memory_;
};

// One context on the host. Thread safe, but for the functions that name a ring: each ring has one
// user at a time. Must outlive its regions.
class Transport {
 public:
    virtual ~Transport() = default;

    // A name that stays the same from run to run: the device's address, or "socket".
    virtual std::string name() const = 0;
    // What the user can do when the host stays silent for good.
    virtual std::string advice() const = 0;

    // Zeroed memory of at least `size` bytes.
    virtual wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) = 0;

    // Sends a level 1 command. Does not wait for the host.
    virtual wire::Result<void> submit(std::span<const std::byte> command) = 0;

    // After OPEN_RING was answered: prepares doorbell() and wait().
    virtual wire::Result<void> open_signals(uint32_t ring) = 0;
    virtual void close_signals(uint32_t ring) = 0;
    // Makes the host look at the ring.
    virtual wire::Result<void> doorbell(uint32_t ring) = 0;
    // Sleeps until the host signals the ring or `timeout` passes; may return early for no reason.
    // Fault::kLost when the host is known to be gone.
    virtual wire::Result<void> wait(uint32_t ring, std::chrono::microseconds timeout) = 0;

    // False when the host is known to be gone. Cheap enough to be called in a polling loop.
    virtual bool connected() const = 0;

    // How often the host was told something; from a VM, each leaves the guest.
    uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }

 protected:
    void count_message() const { messages_.fetch_add(1, std::memory_order_relaxed); }

 private:
    mutable std::atomic<uint64_t> messages_{0};
};

}  // namespace virtgpu::frontend
