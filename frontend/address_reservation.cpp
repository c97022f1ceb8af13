#include "frontend/address_reservation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace virtgpu::frontend {

using wire::Fault;

wire::Result<AddressReservation> AddressReservation::create(size_t size, size_t alignment) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    if (!std::has_single_bit(alignment))
        return wire::fail(Fault::kPeer, "the host wants tensors aligned to {} bytes", alignment);
    // mmap aligns to pages and refuses 0 bytes.
    const size_t extra = page + (alignment > page ? alignment : 0);
    if (size > SIZE_MAX - extra)
        return wire::fail(Fault::kRefused, "{} bytes are more than an address space", size);
    const size_t mapped = (size + extra) / page * page;
    void* const mapping =
        ::mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return wire::system_failure(errno, wire::format("reserving {} bytes of addresses", size));
    const auto start = reinterpret_cast<uintptr_t>(mapping);
    const uintptr_t aligned = (start + alignment - 1) & ~(uintptr_t{alignment} - 1);
    return AddressReservation(mapping, mapped,
                              static_cast<std::byte*>(mapping) + (aligned - start));
}

AddressReservation::AddressReservation(AddressReservation&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(other.mapped_),
      base_(other.base_) {}

AddressReservation::~AddressReservation() {
    if (mapping_ != nullptr)
        ::munmap(mapping_, mapped_);
}

}  // namespace virtgpu::frontend
