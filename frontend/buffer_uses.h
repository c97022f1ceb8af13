#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "protocol/generated/structures.h"

namespace virtgpu::frontend {

// Which buffers a ring's requests name, and the last request that does. So whoever touches one
// waits for nobody else. Thread safe.
class BufferUses {
 public:
    void note(const protocol::Handle& buffer, uint64_t sequence) { note({&buffer, 1}, sequence); }
    void note(std::span<const protocol::Handle> buffers, uint64_t sequence);
    // 0 where there is none.
    uint64_t last(const protocol::Handle& buffer) const;
    // The buffer is no more.
    void forget(const protocol::Handle& buffer);

 private:
    struct Use {
        protocol::Handle buffer;
        uint64_t sequence = 0;
    };

    mutable std::mutex mutex_;
    std::vector<Use> uses_;  // few: weights, a cache, what graphs compute in
};

}  // namespace virtgpu::frontend
