#pragma once

#include <cstddef>

#include "wire/result.h"

namespace virtgpu::frontend {

// Address space without memory: ggml places tensors by address, and the addresses of remote buffers
// have to be unique and aligned. An access faults. Costs no memory.
class AddressReservation {
 public:
    // `alignment` is a power of two.
    static wire::Result<AddressReservation> create(size_t size, size_t alignment);
    ~AddressReservation();
    AddressReservation(AddressReservation&& other) noexcept;
    AddressReservation& operator=(AddressReservation&&) = delete;
    AddressReservation(const AddressReservation&) = delete;
    AddressReservation& operator=(const AddressReservation&) = delete;

    void* base() const { return base_; }

 private:
    AddressReservation(void* mapping, size_t mapped, void* base)
        : mapping_(mapping), mapped_(mapped), base_(base) {}

    void* mapping_;
    size_t mapped_;
    void* base_;
};

}  // namespace virtgpu::frontend
