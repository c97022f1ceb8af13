// Our requests to the VMM: mapping blobs into the device's host-visible window.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "device/event_loop.h"
#include "device/gpu/window.h"
#include "device/sealed_memory.h"
#include "device/timer.h"
#include "device/vhost_user/message_socket.h"
#include "wire/log.h"

namespace virtgpu::vhost_user {

// One operation at a time, none of which waits: while QEMU works on one, it may send us requests of
// its own and wait for their answers.
class BackendChannel : public gpu::Window {
 public:
    // How long a mapping may take after QEMU has agreed to it. A VMM that does not tell us of its
    // memory for such mappings loses this much time for each.
    static constexpr std::chrono::milliseconds kRegionTimeout{1000};

    // `window_size`: bytes. The loop and the log must outlive the channel.
    static Result<std::unique_ptr<BackendChannel>> create(uint64_t window_size,
                                                          device::EventLoop& loop, wire::Log& log);

    // The VMM's end. Nothing can be mapped before it comes.
    Result<void> connect(FileDescriptor socket);

    uint64_t size() const override { return window_size_; }
    void map(uint64_t offset, device::SharedMemory memory, Finished finished) override;
    void unmap(uint64_t offset, device::SharedMemory memory, Finished finished) override;
    void forget_all() override;

    // True when the region is memory of ours, which the VMM sends back to us as guest memory.
    bool is_ours(const device::FileIdentity& identity) const;
    // Such a region is in the guest's address space now.
    void region_added(const device::FileIdentity& identity);

 private:
    enum class Kind { kMap, kUnmap };
    enum class State {
        kQueued,
        kNotSent,  // its failure is reported from the event loop
        kSent,
        kAccepted  // a mapping that is not in the guest's address space yet
    };
    struct Operation {
        Kind kind;
        uint64_t offset;
        device::SharedMemory memory;
        Finished finished;  // empty once it is forgotten
        State state = State::kQueued;
        bool region_added = false;
    };

    BackendChannel(uint64_t window_size, device::EventLoop& loop, wire::Log& log,
                   device::Timer timer)
        : window_size_(window_size), loop_(loop), log_(log), timer_(std::move(timer)) {}
    void enqueue(Operation operation);
    void start_next();
    Result<void> send(const Operation& operation);
    void readable();
    Result<void> receive();
    void answered(bool accepted);
    void finish(const Result<void>& result);
    void time_is_up();
    void disconnect(const std::string& why);

    uint64_t window_size_;
    device::EventLoop& loop_;
    wire::Log& log_;
    device::Timer timer_;
    std::unique_ptr<MessageSocket> socket_;
    std::deque<Operation> operations_;  // the first is being worked on
    std::vector<device::FileIdentity> mapped_;
    device::Watch watch_;
    device::Watch timer_watch_;
};

}  // namespace virtgpu::vhost_user
