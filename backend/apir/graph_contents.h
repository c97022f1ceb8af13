// Graphs that are known again by what they say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

namespace virtgpu::backend {

// Upstream's frontend sends the whole graph for every token and no number of it, although it mostly
// says the same as the last. Comparing 400 kB takes some 20 us, decoding and building them 800. For
// one thread.
class GraphContents {
 public:
    // The number of the graph that was made of these bytes.
    std::optional<uint32_t> find(std::span<const std::byte> encoded);
    // The bytes are kept, so that nothing but the same graph passes for it.
    void add(uint32_t number, std::span<const std::byte> encoded, size_t tensors);
    // Takes out the graph that was longest not asked for, if there has to be room for another of so
    // many bytes and tensors.
    std::optional<uint32_t> make_room(size_t bytes, size_t tensors);
    void remove(uint32_t number);

 private:
    struct Known {
        uint32_t number;
        std::vector<std::byte> encoded;
        size_t tensors;
    };

    std::list<Known> known_;  // the last one asked for first
    size_t bytes_ = 0;
    size_t tensors_ = 0;
};

}  // namespace virtgpu::backend
