#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "frontend/buffer_uses.h"
#include "frontend/generated/stubs.h"
#include "frontend/ring_services.h"
#include "frontend/ring_wait.h"
#include "frontend/staging_area.h"
#include "wire/guest_ring.h"

namespace virtgpu::frontend {

// One ring and a staging area behind it, for the bytes that requests name. Queued commands return
// at once; the others wait for their reply, one at a time. Thread safe. Every wait ends: within two
// seconds of the worker's or the device process' death the session is lost and calls fail. So they
// do after a queued command failed.
class RingChannel : public CommandStubs {
 public:
    static constexpr uint32_t kRequestBytes = 256 * 1024;
    static constexpr uint32_t kReplyBytes = 64 * 1024;

    // Bytes of the region behind the ring.
    struct Sizes {
        size_t staging = 0;
        size_t landing = 0;
    };

    // Requests come after all that was sent on `before`, if there is one. Fault::kRefused when the
    // host does not want the ring.
    static wire::Result<std::unique_ptr<RingChannel>> open(RingServices services, uint32_t ring,
                                                           Sizes sizes,
                                                           const RingChannel* before = nullptr);
    RingChannel(RingServices services, uint32_t ring, std::unique_ptr<SharedRegion> region,
                wire::RingMemory memory, Sizes sizes, const RingChannel* before);
    ~RingChannel() override;
    RingChannel(const RingChannel&) = delete;
    RingChannel& operator=(const RingChannel&) = delete;

    uint32_t number() const { return number_; }
    SessionHealth& health() { return services_.health; }
    Traffic& traffic() { return services_.traffic; }
    wire::Trace* trace() const { return services_.trace; }

    // Sequence number of the last request.
    uint64_t sent() const { return sent_.load(std::memory_order_acquire); }
    // Waits until a request is done, and all before it; does nothing when it is.
    wire::Result<void> finish(uint64_t sequence);
    wire::Result<void> finish() { return finish(sent()); }
    // The same, but gives up when `unwanted` says so, which is asked every few milliseconds and
    // must not use the ring. False then: the request goes on.
    wire::Result<bool> finish_unless(uint64_t sequence, const std::function<bool()>& unwanted);
    // The host need not compute the graphs of the requests up to this one to their end.
    void ask_to_abort(uint64_t sequence);
    // Whether the host has done all that it was sent and that reads or writes tensors' data. False
    // while nobody has read why it could not: whoever then waits is told.
    bool idle() const {
        return ring_.completed() >= touching_data_.load(std::memory_order_acquire) &&
               !ring_.reply_unread();
    }
    // Whether who waits for all that was sent here waits for such requests of `before`, too.
    bool covers_ring_before() const {
        return before_ == nullptr || before_->idle() ||
               after_.load(std::memory_order_acquire) >=
                   before_->touching_data_.load(std::memory_order_acquire);
    }
    // What the ring's users have noted, and whether the host has done all of it that names a
    // buffer.
    BufferUses& uses() { return uses_; }
    bool idle(const protocol::Handle& buffer) const {
        return ring_.completed() >= uses_.last(buffer) && !ring_.reply_unread();
    }
    // Makes the host look at what was queued. Without it the host does when somebody waits, or
    // another ring's request comes after.
    wire::Result<void> wake_host();

    // Bytes of the region, as the host knows them and as we do.
    struct Piece {
        protocol::RegionSpan span;
        wire::BulkData bytes;
    };

    // Where the host puts what was asked for until its user fetches it. Managed by the ring's
    // owner.
    wire::Result<Piece> landing(size_t offset, size_t size) const;

    // Places for the bytes that set_tensor, get_tensor and the graphs name. For one thread at a
    // time, from the first reserve() until the request with its bytes was sent.
    class Staging {
     public:
        // Pieces of up to half of it can always be had while another is in use.
        size_t size() const { return channel_.staging_.size(); }
        // Waits for older pieces where they are in the way.
        wire::Result<Piece> reserve(size_t size);
        // The request that names what was reserved: the piece is used again when it is done.
        void in_use_until(uint64_t sequence) { channel_.staging_.use_until(sequence); }
        // Instead, for what the host wrote: the oldest piece was read and may be used again.
        void give_back() { channel_.staging_.give_back(); }

     private:
        friend class RingChannel;
        explicit Staging(RingChannel& channel) : channel_(channel), lock_(channel.staging_mutex_) {}

        RingChannel& channel_;
        std::unique_lock<std::mutex> lock_;
    };
    Staging lock_staging() { return Staging(*this); }
    // For bytes that do not fit the staging area.
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size);

 protected:
    wire::Result<uint64_t> queue(protocol::Command command,
                                 std::span<const std::byte> request) override;
    wire::Result<std::vector<std::byte>> call(protocol::Command command,
                                              std::span<const std::byte> request) override;

 private:
    wire::Result<Piece> piece(size_t offset, size_t size) const;
    wire::Result<uint64_t> send(protocol::Command command, std::span<const std::byte> request);
    wire::Result<uint64_t> send_when_there_is_room(protocol::Command command,
                                                   std::span<const std::byte> request);
    wire::Result<std::vector<std::byte>> take_reply(uint64_t sequence);
    wire::Result<void> check_queued();
    // Of a wait.
    template <typename T>
    wire::Result<T> or_lose(wire::Result<T> waited);
    tl::unexpected<wire::Error> lose(const wire::Error& error);

    RingServices services_;
    const uint32_t number_;
    const RingChannel* const before_;
    std::unique_ptr<SharedRegion> region_;
    const Sizes sizes_;
    std::mutex staging_mutex_;
    StagingArea staging_;
    std::mutex mutex_;
    wire::GuestRing ring_;
    RingWait wait_;
    std::atomic<uint64_t> sent_ = 0;
    std::atomic<uint64_t> touching_data_ = 0;  // the last request that does
    std::atomic<uint64_t> after_ = 0;          // what the last request comes after, of `before`
    BufferUses uses_;
};

}  // namespace virtgpu::frontend
