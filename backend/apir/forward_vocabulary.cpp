#include "backend/apir/forward_vocabulary.h"

namespace virtgpu::backend {

namespace {

template <typename Entries, typename NameOf>
std::vector<protocol::Name> names_of(const Entries& entries, NameOf name_of) {
    std::vector<protocol::Name> names;
    for (uint32_t number = 0; number < entries.size(); ++number)
        names.push_back({number, name_of(entries[number])});
    return names;
}

}  // namespace

validate::Result<validate::Vocabulary> forward_vocabulary(
    const std::shared_ptr<const validate::HostVocabulary>& host) {
    const auto itself = [](const std::string& name) { return name; };
    protocol::HelloRequest guest;
    guest.ops = names_of(host->ops, [](const validate::OpRules& rules) { return rules.name; });
    guest.types =
        names_of(host->types, [](const validate::TypeTraits& traits) { return traits.name; });
    guest.unary_ops = names_of(host->unary_ops, itself);
    guest.glu_ops = names_of(host->glu_ops, itself);
    return validate::Vocabulary::negotiate(host, guest);
}

}  // namespace virtgpu::backend
