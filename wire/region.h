// Memory shared with the other side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "wire/result.h"

namespace virtgpu::wire {

// A piece of a region that holds tensor data and nothing else: the other side may change it at any
// moment, so it may be copied or computed on, but never parsed or trusted.
class BulkData {
 public:
    BulkData(std::byte* data, size_t size) : data_(data), size_(size) {}
    std::byte* data() const { return data_; }
    size_t size() const { return size_; }

 private:
    std::byte* data_;
    size_t size_;
};

// A mapped region. Both sides may write every byte at every moment. Structure is read with copy_out
// (once, then decoded from the private copy), tensor data through bulk(). Range errors are
// Fault::kPeer, because ranges come from messages.
class Region {
 public:
    virtual ~Region() = default;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;

    size_t size() const { return size_; }

    Result<void> copy_out(uint64_t offset, std::span<std::byte> to) const;
    Result<void> copy_in(uint64_t offset, std::span<const std::byte> from);
    Result<BulkData> bulk(uint64_t offset, uint64_t size) const;

 protected:
    Region(std::byte* base, size_t size) : base_(base), size_(size) {}
    std::byte* base() const { return base_; }

 private:
    friend class ReplyPage;
    friend class RingMemory;

    Result<void> check(uint64_t offset, uint64_t size) const;

    std::byte* base_;
    size_t size_;
};

}  // namespace virtgpu::wire
