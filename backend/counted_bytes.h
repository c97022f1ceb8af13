// Bytes that count against the memory of all contexts.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "backend/memory_account.h"

namespace virtgpu::backend {

// For one thread.
class CountedBytes {
 public:
    explicit CountedBytes(std::shared_ptr<MemoryAccount> account) : account_(std::move(account)) {}
    ~CountedBytes() { clear(); }
    CountedBytes(const CountedBytes&) = delete;
    CountedBytes& operator=(const CountedBytes&) = delete;

    // So many bytes, whatever they are; memory that is there is used again. Fault::kRefused when
    // the account has no room, and then nothing is left.
    wire::Result<void> resize(size_t size);
    // Gives the memory back.
    void clear();

    std::span<std::byte> bytes() { return bytes_; }
    std::span<const std::byte> bytes() const { return bytes_; }
    size_t capacity() const { return counted_; }

 private:
    const std::shared_ptr<MemoryAccount> account_;
    std::vector<std::byte> bytes_;
    size_t counted_ = 0;
};

}  // namespace virtgpu::backend
