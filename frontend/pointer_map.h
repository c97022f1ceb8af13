#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace virtgpu::frontend {

// From an address to a number. Made to be filled again and again: clear() touches no memory, and
// once grown nothing is allocated.
class PointerMap {
 public:
    static constexpr uint32_t kAbsent = UINT32_MAX;

    void clear();
    // The number, or kAbsent.
    uint32_t find(const void* key) const;
    // Sets the number, also of a key that is there already.
    void set(const void* key, uint32_t value);

 private:
    struct Slot {
        const void* key = nullptr;
        uint32_t value = 0;
        uint32_t epoch = 0;
    };

    size_t slot_of(const void* key) const;
    void grow();

    std::vector<Slot> slots_ = std::vector<Slot>(64);
    size_t used_ = 0;
    uint32_t epoch_ = 1;
};

}  // namespace virtgpu::frontend
