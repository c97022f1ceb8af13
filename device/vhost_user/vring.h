// A virtqueue and the descriptors by which the VMM and we wake each other.
#pragma once

#include <bitset>
#include <deque>
#include <functional>
#include <optional>
#include <span>

#include "device/event_file.h"
#include "device/event_loop.h"
#include "device/vhost_user/request.h"
#include "device/virtio/virtqueue.h"
#include "wire/log.h"

namespace virtgpu::vhost_user {

// Runs while the VMM has given it everything and enabled it. Requests that are still being carried
// out when it stops are answered when it runs again: a paused VM loses nothing.
class Vring {
 public:
    // Takes a request; answers it with answer(), at once or later.
    using Handler = std::function<void(const virtio::Chain&)>;

    Vring(uint32_t number, virtio::GuestMemory& memory, device::EventLoop& loop, wire::Log& log,
          Handler handler);
    Vring(const Vring&) = delete;
    Vring& operator=(const Vring&) = delete;

    void set_features(uint64_t features) { features_ = features; }
    // All of these fail when the VMM sets what cannot work.
    Result<void> set_size(uint32_t size);
    void set_addresses(const SetVringAddress& addresses) { addresses_ = addresses; }
    void set_next(uint16_t next) { next_ = next; }
    Result<void> set_kick(FileDescriptor file);
    Result<void> set_call(FileDescriptor file);
    Result<void> set_error(FileDescriptor file);
    Result<void> set_enabled(bool enabled);

    bool running() const { return queue_.has_value(); }
    // Index of the next request to take, in the driver's counting.
    uint16_t next() const { return queue_ ? queue_->next() : next_; }
    void stop();
    // The device was reset: no request is being carried out any more.
    void forget_answers() {
        unanswered_.clear();
        taken_.reset();
    }

    void answer(const virtio::Chain& chain, std::span<const std::byte> bytes);

 private:
    struct Answer {
        virtio::Chain chain;
        std::vector<std::byte> bytes;
    };

    static constexpr size_t kLargest = 32768;  // descriptors

    bool can_run() const;
    Result<void> claim(const virtio::Chain& chain);
    Result<void> start_if_complete();
    void kicked();
    Result<void> serve();
    Result<void> write_answer(const virtio::Chain& chain, std::span<const std::byte> bytes);
    void broken(const wire::Error& error);

    uint32_t number_;
    virtio::GuestMemory& memory_;
    device::EventLoop& loop_;
    wire::Log& log_;
    Handler handler_;
    uint64_t features_ = 0;
    uint16_t size_ = 0;
    std::optional<SetVringAddress> addresses_;
    uint16_t next_ = 0;
    bool enabled_ = false;
    std::optional<device::EventFile> kick_;
    std::optional<device::EventFile> call_;
    std::optional<device::EventFile> error_;
    std::optional<virtio::Virtqueue> queue_;  // while running
    std::deque<Answer> unanswered_;           // done while stopped
    std::bitset<kLargest> taken_;             // heads of the requests that have no answer yet
    device::Watch kick_watch_;
};

}  // namespace virtgpu::vhost_user
