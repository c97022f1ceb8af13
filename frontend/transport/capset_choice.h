// Which of a virtio-gpu device's context types leads to our host.
#pragma once

#include <array>
#include <cstdint>

#include "wire/result.h"

namespace virtgpu::frontend {

enum class CapsetOffer {
    kNone,
    kOurs,
    kForeign,  // another host's: upstream's APIR, or a Venus
};

// What a device offers under both numbers that APIR is spoken with.
struct CapsetOffers {
    CapsetOffer apir = CapsetOffer::kNone;
    CapsetOffer venus = CapsetOffer::kNone;
};

struct CapsetChoice {
    uint32_t capset;
    // False: it may be a real Venus, which never answers HANDSHAKE.
    bool certain;

    bool operator==(const CapsetChoice&) const = default;
};

// The words of a capset, of which a shorter one leaves the last untouched.
using CapsetWords = std::array<uint32_t, 6>;
CapsetOffer offer_of(const CapsetWords& words);

// Fault::kRefused when the device is not ours.
wire::Result<CapsetChoice> choose_capset(const CapsetOffers& offers, bool apir_capset_only);

}  // namespace virtgpu::frontend
