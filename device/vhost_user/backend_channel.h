// Our requests to the VMM: mapping blobs into the device's host-visible window.
#pragma once

#include <chrono>
#include <memory>

#include "device/event_loop.h"
#include "device/gpu/window.h"
#include "device/sealed_memory.h"
#include "device/timer.h"
#include "device/vhost_user/message_socket.h"
#include "wire/log.h"

namespace virtgpu::vhost_user {

// Maps the window's file, once until the device is reset. Nothing in here waits: while QEMU works
// on it, it sends us requests of its own and waits for their answers.
class BackendChannel : public gpu::Window {
 public:
    // How long a mapping may take after QEMU has agreed to it. Only a VMM that does not tell us of
    // its memory takes that long.
    static constexpr std::chrono::milliseconds kReportTimeout{1000};

    // `window_size`: bytes. The loop and the log must outlive the channel.
    static Result<std::unique_ptr<BackendChannel>> create(uint64_t window_size,
                                                          device::EventLoop& loop, wire::Log& log);

    // The VMM's end. Nothing can be mapped before it comes.
    Result<void> connect(FileDescriptor socket);

    uint64_t size() const override { return window_size_; }
    void map(std::shared_ptr<const device::SealedFile> file, Finished finished) override;
    void forget() override;

    // True when it is the window's file, which the VMM sends back to us as guest memory.
    bool is_ours(const device::FileIdentity& identity) const;
    // The VMM has told us of all of the guest's memory. Nothing but a reset of the device takes the
    // window out of it; true when that has happened.
    enum class WindowReported { kNo, kYes };
    bool was_dropped(WindowReported reported);

 private:
    enum class State {
        kUnmapped,
        kNotSent,  // its failure is reported from the event loop
        kSent,
        kReported,  // to us as guest memory, but not agreed to yet
        kAgreed,    // but not in the guest's address space yet
        kMapped,
        kForgotten  // sent, and then the device was reset; the answer is still to come
    };

    BackendChannel(uint64_t window_size, device::EventLoop& loop, wire::Log& log,
                   device::Timer timer)
        : window_size_(window_size), loop_(loop), log_(log), timer_(std::move(timer)) {}
    void start();
    Result<void> send();
    void readable();
    Result<void> receive();
    void answered(bool agreed);
    void finish(State state, const Result<void>& result);
    void time_is_up();
    void disconnect(const std::string& why);

    uint64_t window_size_;
    device::EventLoop& loop_;
    wire::Log& log_;
    device::Timer timer_;
    std::unique_ptr<MessageSocket> socket_;
    State state_ = State::kUnmapped;
    bool seen_in_memory_ = false;  // the VMM reports the window at all
    std::shared_ptr<const device::SealedFile> file_;
    Finished finished_;
    device::Watch watch_;
    device::Watch timer_watch_;
};

}  // namespace virtgpu::vhost_user
