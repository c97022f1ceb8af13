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
    const CapsetOffer venus = apir_capset_only ? CapsetOffer::kNone : offers.venus;
    if (venus == CapsetOffer::kOurs)
        return CapsetChoice{protocol::kCapsetVenus, true};
    // Capset 10 is APIR's, whoever offers it; another host's is upstream's.
    if (offers.apir == CapsetOffer::kForeign)
        return CapsetChoice{protocol::kCapsetApir, true};
    if (venus == CapsetOffer::kForeign)
        return CapsetChoice{protocol::kCapsetVenus, false};
    return wire::fail(Fault::kRefused, "the device does not offer capset {}",
                      protocol::kCapsetApir);
}

}  // namespace virtgpu::frontend
