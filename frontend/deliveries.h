#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "frontend/ring_channel.h"

namespace virtgpu::frontend {

// Bytes of tensors that a stream's user has asked for and that are not there yet. Thread safe:
// events are waited for by any thread.
class Deliveries {
 public:
    // Bytes of the ring's landing area.
    static constexpr size_t kLandingBytes = size_t{2} << 20;  // the logits of several tokens

    explicit Deliveries(RingChannel& ring) : ring_(ring) {}

    // A part of a tensor's data.
    struct Part {
        protocol::TensorData tensor;
        size_t offset = 0;
    };

    // Has the host send them behind what is queued. Waits where they are too many.
    wire::Result<void> request(const Part& part, std::span<std::byte> to);
    // The same to memory that the host sees.
    wire::Result<void> request_there(const Part& part, const protocol::RegionSpan& there,
                                     std::span<std::byte> to);
    // For bytes of a buffer's region, shared with the host, which nothing changes but what is
    // queued on this ring or comes before that: they need not be sent if they are fetched before
    // anything else is queued. The region may go with the buffer; its memory stays.
    void postpone(const Part& part, std::span<std::byte> to,
                  const std::shared_ptr<SharedRegion>& region, wire::BulkData bytes);
    // Before something is queued that may change the bytes.
    wire::Result<void> send_postponed();
    // Waits for all that is queued and delivers what was asked for. Where that fails there are
    // zeroes instead: the caller reads them in any case.
    wire::Result<void> finish();
    // The same up to a request.
    wire::Result<void> finish(uint64_t sequence);

 private:
    struct Delivery {
        uint64_t sequence = 0;
        wire::BulkData bytes;
        std::span<std::byte> to;
    };
    struct Postponed {
        Part part;
        std::span<std::byte> to;
        std::weak_ptr<SharedRegion> region;
        std::shared_ptr<wire::Region> memory;
        wire::BulkData bytes;
    };

    wire::Result<void> send(const Postponed& postponed);
    void deliver_until(uint64_t sequence, bool succeeded);
    void fetch_postponed(bool succeeded);

    RingChannel& ring_;
    // Recursive: making room is finishing what is there.
    std::recursive_mutex mutex_;
    std::vector<Delivery> deliveries_;
    size_t landing_used_ = 0;
    std::vector<Postponed> postponed_;
};

}  // namespace virtgpu::frontend
