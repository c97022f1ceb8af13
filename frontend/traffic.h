#pragma once

#include <atomic>
#include <cstdint>

namespace virtgpu::frontend {

// What a connection has done so far; thread safe.
struct Traffic {
    std::atomic<uint64_t> graphs{0};   // computed
    std::atomic<uint64_t> defined{0};  // graphs sent whole
    std::atomic<uint64_t> edited{0};   // graphs of which the changes were sent
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> bytes{0};   // of requests and of graphs; tensors' data is not counted
    std::atomic<uint64_t> waits{0};   // for the host
    std::atomic<uint64_t> sleeps{0};  // in those waits; one may sleep more than once
    std::atomic<uint64_t> doorbells{0};
};

}  // namespace virtgpu::frontend
