#pragma once

#include <memory>
#include <variant>

#include "frontend/address_reservation.h"
#include "frontend/transport/transport.h"

namespace virtgpu::frontend {

// Where the tensors of a buffer have their addresses: in memory that the host shares, or in
// addresses without memory for a buffer that only the host can reach.
class BufferSpace {
 public:
    explicit BufferSpace(AddressReservation addresses) : space_(std::move(addresses)) {}
    explicit BufferSpace(std::unique_ptr<SharedRegion> region)
        : space_(std::shared_ptr<SharedRegion>(std::move(region))) {}

    std::byte* base() const {
        if (const auto region = memory())
            return region->bulk(0, 0)->data();
        return static_cast<std::byte*>(std::get<AddressReservation>(space_).base());
    }
    // Null for addresses without memory. Others must not keep it, but may see whether it is there.
    std::shared_ptr<SharedRegion> region() const {
        const auto* const region = std::get_if<std::shared_ptr<SharedRegion>>(&space_);
        return region == nullptr ? nullptr : *region;
    }
    // Of the region. Whoever keeps it keeps the memory.
    std::shared_ptr<wire::Region> memory() const {
        const auto* const region = std::get_if<std::shared_ptr<SharedRegion>>(&space_);
        return region == nullptr ? nullptr : (*region)->memory();
    }

 private:
    std::variant<AddressReservation, std::shared_ptr<SharedRegion>> space_;
};

}  // namespace virtgpu::frontend
