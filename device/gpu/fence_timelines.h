// Keeps the responses of fenced commands in order.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>

namespace virtgpu::gpu {

// The driver takes a fence's response as the completion of all earlier fences of its time line, so
// responses must leave in the order of their commands: per context and ring, and once for all
// commands without a ring.
struct Timeline {
    bool has_ring = false;
    uint32_t context = 0;  // 0 without a ring
    uint8_t ring = 0;

    auto operator<=>(const Timeline&) const = default;
};

class FenceTimelines {
 public:
    using Release = std::function<void()>;
    struct Ticket {
        Timeline timeline;
        uint64_t number = 0;
    };

    enum class Outcome {
        kReleased,
        kBehindOthers,  // which are not done
        kForgotten,     // the ticket is from before clear(), or was completed already
    };

    // A place at the time line's end.
    Ticket enter(const Timeline& timeline);
    // The command is done: `release` is called once all before it are.
    Outcome complete(const Ticket& ticket, Release release);
    void clear() { timelines_.clear(); }
    bool empty() const { return timelines_.empty(); }

 private:
    struct Entry {
        uint64_t number;
        Release release;  // empty until complete
    };

    uint64_t next_number_ = 1;
    std::map<Timeline, std::deque<Entry>> timelines_;
};

}  // namespace virtgpu::gpu
