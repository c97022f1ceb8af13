#include "frontend/transport/capset_choice.h"

#include "protocol/generated/structures.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

CapsetOffer offer_of(const CapsetWords& words) {
    // Layout: docs/PROTOCOL.md, "Level 1".
    constexpr size_t kMagicWord = 2;
    return words[kMagicWord] == protocol::kCapsetMagic ? CapsetOffer::kOurs : CapsetOffer::kForeign;
}

Result<CapsetChoice> choose_capset(const CapsetOffers& offers, bool apir_capset_only) {
    if (offers.apir == CapsetOffer::kOurs)
        return CapsetChoice{protocol::kCapsetApir, true};
    if (!apir_capset_only && offers.venus != CapsetOffer::kNone)
        return CapsetChoice{protocol::kCapsetVenus, offers.venus == CapsetOffer::kOurs};
    if (offers.apir == CapsetOffer::kForeign)
        return wire::fail(Fault::kRefused, "the device's capset {} is another host's",
                          protocol::kCapsetApir);
    return wire::fail(Fault::kRefused, "the device does not offer capset {}",
                      protocol::kCapsetApir);
}

}  // namespace virtgpu::frontend
