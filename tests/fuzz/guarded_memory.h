// Memory that faults when it is left.
#pragma once

#include <cstddef>

namespace virtgpu::fuzz {

// Ends, to seven bytes, where a page begins that nobody may touch; before it, too, is one.
class GuardedMemory {
 public:
    explicit GuardedMemory(size_t largest);
    ~GuardedMemory();
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;

    // The start of `size` bytes, at a multiple of eight.
    std::byte* resize(size_t size);
    // The whole mapping, for those who want its start at a page.
    std::byte* base() const { return base_; }
    size_t largest() const { return largest_; }

 private:
    size_t largest_;  // whole pages
    std::byte* base_;
};

}  // namespace virtgpu::fuzz
