// Graphs that are known again by what they say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>

#include "backend/counted_bytes.h"

namespace virtgpu::backend {

// Upstream's frontend sends the whole graph for every token and no number of it, although it mostly
// says the same as the last. Comparing 400 kB takes some 20 us, decoding and building them 800. For
// one thread.
class GraphContents {
 public:
    explicit GraphContents(std::shared_ptr<MemoryAccount> account) : account_(std::move(account)) {}

    // The number of the graph that was made of these bytes.
    std::optional<uint32_t> find(std::span<const std::byte> encoded);
    // The bytes are kept, so that nothing but the same graph passes for it. Fault::kRefused when
    // the account has no room for them.
    wire::Result<void> add(uint32_t number, std::span<const std::byte> encoded, size_t tensors);
    // Whether one more of so many bytes and tensors may be kept beside the others.
    bool has_room(size_t bytes, size_t tensors) const;
    // The graph that was longest not asked for.
    std::optional<uint32_t> oldest() const;
    void remove(uint32_t number);

 private:
    struct Known {
        Known(uint32_t its_number, size_t its_tensors, std::shared_ptr<MemoryAccount> account)
            : number(its_number), tensors(its_tensors), encoded(std::move(account)) {}

        uint32_t number;
        size_t tensors;
        CountedBytes encoded;
    };

    const std::shared_ptr<MemoryAccount> account_;
    std::list<Known> known_;  // the last one asked for first
    size_t bytes_ = 0;
    size_t tensors_ = 0;
};

}  // namespace virtgpu::backend
