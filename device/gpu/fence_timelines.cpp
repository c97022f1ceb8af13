#include "device/gpu/fence_timelines.h"

#include <algorithm>
#include <utility>

namespace virtgpu::gpu {

FenceTimelines::Ticket FenceTimelines::enter(const Timeline& timeline) {
    timelines_[timeline].push_back({next_number_, {}});
    return {timeline, next_number_++};
}

FenceTimelines::Outcome FenceTimelines::complete(const Ticket& ticket, Release release) {
    const auto found = timelines_.find(ticket.timeline);
    if (found == timelines_.end())
        return Outcome::kForgotten;
    auto& entries = found->second;
    const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& candidate) {
        return candidate.number == ticket.number;
    });
    if (entry == entries.end())
        return Outcome::kForgotten;
    entry->release = std::move(release);
    if (!entries.front().release)
        return Outcome::kBehindOthers;
    while (!entries.empty() && entries.front().release) {
        const Release ready = std::move(entries.front().release);
        entries.pop_front();
        ready();
    }
    if (entries.empty())
        timelines_.erase(found);
    return Outcome::kReleased;
}

}  // namespace virtgpu::gpu
