#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace virtgpu::frontend {

// Which bytes of a staging area are in use. Pieces are taken in turn and come free in the same
// order, when the requests that name them are done: while the host works on one, the next is
// filled.
class StagingArea {
 public:
    explicit StagingArea(size_t size) : size_(size) {}

    size_t size() const { return size_; }

    // Where a piece begins, or nothing as long as others are in its way.
    std::optional<size_t> take(size_t bytes);
    // The pieces taken since the last call are free once this request is done.
    void use_until(uint64_t sequence);
    // Frees the pieces of finished requests.
    void release(uint64_t completed);
    // Frees the oldest of the pieces that no request frees.
    void give_back();
    // The request that holds the oldest piece, if any piece is held by one.
    std::optional<uint64_t> oldest() const;

 private:
    struct Piece {
        size_t begin = 0;
        size_t end = 0;
        uint64_t sequence = 0;  // 0: not known yet
    };

    std::optional<size_t> place_for(size_t bytes) const;

    size_t size_;
    std::deque<Piece> pieces_;
};

}  // namespace virtgpu::frontend
