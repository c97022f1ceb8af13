#pragma once

#include <array>
#include <string>

#include "frontend/owning_process.h"
#include "frontend/transport/capset_choice.h"
#include "frontend/transport/transport.h"
#include "frontend/transport/virtgpu_uapi.h"
#include "protocol/generated/structures.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::frontend {

// A context on a virtio-gpu device. Commands are EXECBUFFERs; waiting is polling a fence that the
// device completes when the ring is signaled (docs/PROTOCOL.md, DOORBELL).
class DrmTransport : public Transport {
 public:
    // `node` is an open render node of the virtio_gpu driver, `name` the device's address.
    // Fault::kRefused when the device is an ordinary one, without our capset: no error for the
    // user. Fault::kLost when its device process is gone, as only a restarted VM gets a new one.
    static wire::Result<std::unique_ptr<DrmTransport>> create(wire::FileDescriptor node,
                                                              std::string name,
                                                              bool apir_capset_only);
    ~DrmTransport() override = default;

    std::string name() const override { return name_; }
    // False: only the answer to HANDSHAKE shows whether this is a host (CapsetChoice).
    bool certain() const { return choice_.certain; }
    std::string advice() const override { return "restart the VM"; }
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) override;
    wire::Result<void> submit(std::span<const std::byte> command) override;
    wire::Result<void> open_signals(uint32_t ring) override;
    void close_signals(uint32_t ring) override;
    wire::Result<void> doorbell(uint32_t ring) override;
    wire::Result<void> wait(uint32_t ring, std::chrono::microseconds timeout) override;
    bool connected() const override { return true; }

 private:
    friend class DrmRegion;

    DrmTransport(wire::FileDescriptor node, std::string name)
        : node_(std::move(node)), name_(std::move(name)) {}

    wire::Result<void> check_parameters() const;
    CapsetOffer offer(uint32_t capset) const;
    wire::Result<void> init_context() const;
    wire::Result<void> check_device_answers() const;
    wire::Result<void> execute(std::span<const std::byte> command, uapi::Execbuffer& request) const;
    wire::Result<wire::FileDescriptor> doorbell_with_fence(uint32_t ring) const;
    void close_handle(uint32_t handle) const;

    wire::FileDescriptor node_;
    std::string name_;
    CapsetChoice choice_{protocol::kCapsetApir, true};
    OwningProcess owner_;
    // Per ring, the fence that waits for the ring's next signal.
    std::array<wire::FileDescriptor, protocol::kMaxRings> fences_;
};

}  // namespace virtgpu::frontend
