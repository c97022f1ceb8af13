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
// device completes when the ring is signaled (docs/PROTOCOL.md, DOORBELL). What differs between
// kinds of devices is in BlobTransport and LegacyTransport.
class DrmTransport : public Transport {
 public:
    // Finds out which kind of device it is. `node` is an open render node of the virtio_gpu driver,
    // `name` the device's address. Fault::kRefused when the device is an ordinary one, without our
    // capset: no error for the user. Fault::kLost when its device process is gone, as only a
    // restarted VM gets a new one.
    static wire::Result<std::unique_ptr<DrmTransport>> create(wire::FileDescriptor node,
                                                              std::string name,
                                                              bool apir_capset_only);
    ~DrmTransport() override = default;

    std::string name() const override { return name_; }
    // False: only the answer to HANDSHAKE shows whether this is a host (CapsetChoice).
    bool certain() const { return choice_.certain; }
    std::string advice() const override { return "restart the VM"; }
    wire::Result<void> submit(std::span<const std::byte> command) override;
    wire::Result<void> open_signals(uint32_t ring) override;
    void close_signals(uint32_t ring) override;
    wire::Result<void> doorbell(uint32_t ring) override;
    wire::Result<void> wait(uint32_t ring, std::chrono::microseconds timeout) override;
    bool connected() const override { return true; }

 protected:
    DrmTransport(wire::FileDescriptor node, std::string name, const CapsetChoice& choice)
        : node_(std::move(node)), name_(std::move(name)), choice_(choice) {}

    const wire::FileDescriptor& node() const { return node_; }
    const CapsetChoice& choice() const { return choice_; }
    // Fault::kLost in a fork of the process that opened the context.
    wire::Result<void> check_owner() const;
    static size_t whole_pages(size_t size);
    // Regions that lie in guest memory. What is larger is better off on the host: it would lie in
    // too many pieces, and take the guest's memory besides.
    static wire::Result<void> check_guest_memory_size(size_t size);
    // The driver does not tell whether the device could take a piece of guest memory. So the host
    // is asked for an answer in there.
    wire::Result<void> check_host_has(const SharedRegion& region) const;
    // Memory of a buffer object that the driver has made. Closes the handle when that fails.
    wire::Result<std::unique_ptr<SharedRegion>> map(uint32_t handle, uint32_t number, size_t size);
    // Sends a command, for whose fence the result is.
    wire::Result<wire::FileDescriptor> submit_with_fence(std::span<const std::byte> command,
                                                         uint32_t ring) const;
    // Fault::kLost when the fence is not completed in time.
    wire::Result<void> await(const wire::FileDescriptor& fence,
                             std::chrono::milliseconds timeout) const;

 private:
    friend class DrmRegion;

    // Puts the command on the time line of a ring, where there are such.
    virtual void choose_time_line(uapi::Execbuffer& request, uint32_t ring) const = 0;

    static wire::Result<std::unique_ptr<DrmTransport>> open(wire::FileDescriptor node,
                                                            std::string name,
                                                            bool apir_capset_only);
    wire::Result<void> check_device_answers() const;
    wire::Result<void> execute(std::span<const std::byte> command, uapi::Execbuffer& request,
                               uint32_t ring) const;
    bool is_armed(uint32_t ring);
    wire::Result<void> arm_fence(uint32_t ring);
    void close_handle(uint32_t handle) const;

    wire::FileDescriptor node_;
    std::string name_;
    CapsetChoice choice_;
    OwningProcess owner_;
    // Per ring, the fence that waits for the ring's next signal.
    std::array<wire::FileDescriptor, protocol::kMaxRings> fences_;
};

}  // namespace virtgpu::frontend
