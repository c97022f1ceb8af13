// How much memory all contexts of the process hold, against their limit.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "wire/result.h"

namespace virtgpu::backend {

// Thread safe.
class MemoryAccount {
 public:
    explicit MemoryAccount(uint64_t limit) : limit_(limit) {}

    // Fault::kRefused over the limit.
    wire::Result<void> take(uint64_t bytes) { return take_below(limit_, bytes); }
    // The same for what is not needed, only faster: a quarter stays for what will be.
    wire::Result<void> take_spare(uint64_t bytes) { return take_below(limit_ - limit_ / 4, bytes); }
    void give_back(uint64_t bytes) { held_ -= bytes; }

    uint64_t limit() const { return limit_; }
    uint64_t left() const { return limit_ - std::min(limit_, held_.load()); }

    // From how many bytes on an allocation may ask for huge pages: each such splits a mapping of
    // the process, of which Linux allows 65,530, and guests can allocate until the limit.
    uint64_t smallest_huge() const { return std::max(kHugePage, limit_ / kMostHuge); }

 private:
    wire::Result<void> take_below(uint64_t limit, uint64_t bytes) {
        uint64_t held = held_.load();
        do {
            if (held > limit || bytes > limit - held)
                return wire::fail(wire::Fault::kRefused,
                                  "{} bytes more than the {} held pass the limit of {}", bytes,
                                  held, limit);
        } while (!held_.compare_exchange_weak(held, held + bytes));
        return {};
    }

    static constexpr uint64_t kHugePage = uint64_t{2} << 20;
    static constexpr uint64_t kMostHuge = 16384;

    const uint64_t limit_;
    std::atomic<uint64_t> held_{0};
};

}  // namespace virtgpu::backend
