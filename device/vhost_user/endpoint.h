// The device towards a VMM: vhost-user messages, guest memory and vrings.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "device/gpu/device.h"
#include "device/vhost_user/backend_channel.h"
#include "device/vhost_user/message_socket.h"
#include "device/vhost_user/request.h"
#include "device/vhost_user/vring.h"

namespace virtgpu::vhost_user {

class Endpoint {
 public:
    // All references must outlive the endpoint. `on_closed` is called once, from the event loop,
    // when the VMM is gone or broke the protocol.
    static Result<std::unique_ptr<Endpoint>> create(FileDescriptor socket, gpu::Device& device,
                                                    virtio::GuestMemory& memory,
                                                    BackendChannel& channel,
                                                    device::EventLoop& loop, wire::Log& log,
                                                    std::function<void()> on_closed);
    ~Endpoint() { device_.reset(); }
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

 private:
    Endpoint(FileDescriptor socket, gpu::Device& device, virtio::GuestMemory& memory,
             BackendChannel& channel, device::EventLoop& loop, wire::Log& log,
             std::function<void()> on_closed);

    void readable();
    Result<void> receive();
    Result<void> serve(Message message);

    // Each says whether it has sent a reply of its own.
    enum class Answered { kNo, kYes };
    Result<Answered> handle(GetFeatures& request);
    Result<Answered> handle(SetFeatures& request);
    Result<Answered> handle(SetOwner& request);
    Result<Answered> handle(SetMemoryTable& request);
    Result<Answered> handle(SetVringSize& request);
    Result<Answered> handle(SetVringAddress& request);
    Result<Answered> handle(SetVringBase& request);
    Result<Answered> handle(GetVringBase& request);
    Result<Answered> handle(SetVringKick& request);
    Result<Answered> handle(SetVringCall& request);
    Result<Answered> handle(SetVringError& request);
    Result<Answered> handle(GetProtocolFeatures& request);
    Result<Answered> handle(SetProtocolFeatures& request);
    Result<Answered> handle(GetQueueCount& request);
    Result<Answered> handle(SetVringEnable& request);
    Result<Answered> handle(SetBackendChannel& request);
    Result<Answered> handle(GetConfig& request);
    Result<Answered> handle(SetConfig& request);
    Result<Answered> handle(GpuSetSocket& request);
    Result<Answered> handle(ResetDevice& request);
    Result<Answered> handle(GetSharedMemoryConfig& request);
    Result<Answered> handle(UnknownRequest& request);

    Result<Answered> reply(RequestType type, std::span<const std::byte> payload);
    Result<Answered> reply_number(RequestType type, uint64_t value);
    Vring& vring(uint32_t number) { return number == 0 ? control_ : cursor_; }
    void reset_device(const char* why);
    void note_when_ready();
    void log_ready() const;
    void take_control(const virtio::Chain& chain);
    void take_cursor(const virtio::Chain& chain);

    MessageSocket socket_;
    gpu::Device& device_;
    BackendChannel& channel_;
    wire::Log& log_;
    std::function<void()> on_closed_;
    virtio::GuestMemory& memory_;
    Vring control_;
    Vring cursor_;
    uint64_t features_ = 0;
    uint64_t protocol_features_ = 0;
    bool ready_ = false;
    // Of vhost-user-gpu-pci, for pictures and cursors, which a device without a display has not;
    // all messages there are ours to begin. Kept open: QEMU takes its end as ours.
    FileDescriptor gpu_socket_;
    device::Watch watch_;
};

}  // namespace virtgpu::vhost_user
