#include "backend/validate/vocabulary.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace virtgpu::validate {

namespace {

Result<uint32_t> known(std::optional<uint32_t> number, uint32_t guest, std::string_view what) {
    if (!number)
        return wire::fail(Fault::kRefused, "the host's ggml does not know the guest's {} {}", what,
                          guest);
    return *number;
}

}  // namespace

Result<NameMap> NameMap::create(const std::vector<protocol::Name>& guest,
                                const std::vector<std::string>& host) {
    std::unordered_map<std::string_view, uint32_t> by_name;
    for (uint32_t number = 0; number < host.size(); ++number)
        if (!host[number].empty())
            by_name.emplace(host[number], number);

    NameMap map;
    std::vector<bool> seen(protocol::kMaxNames);
    map.numbers_.resize(protocol::kMaxNames);
    for (const protocol::Name& entry : guest) {
        if (entry.value >= protocol::kMaxNames || seen[entry.value])
            return wire::fail(Fault::kPeer, "the number {} is too high or was given twice",
                              entry.value);
        seen[entry.value] = true;
        const auto found = by_name.find(entry.name);
        if (found != by_name.end())
            map.numbers_[entry.value] = found->second;
    }
    return map;
}

Result<Vocabulary> Vocabulary::negotiate(std::shared_ptr<const HostVocabulary> host,
                                         const protocol::HelloRequest& guest) {
    std::vector<std::string> ops;
    for (const OpRules& rules : host->ops)
        ops.push_back(rules.kind == OpKind::kForbidden ? std::string() : rules.name);
    // ggml pull request 20712: the block size of a removed type is 0 and was divided by.
    std::vector<std::string> types;
    for (const TypeTraits& traits : host->types)
        types.push_back(traits.block_size == 0 ? std::string() : traits.name);

    Vocabulary vocabulary;
    vocabulary.ops_ = TRY(NameMap::create(guest.ops, ops));
    vocabulary.types_ = TRY(NameMap::create(guest.types, types));
    vocabulary.unary_ops_ = TRY(NameMap::create(guest.unary_ops, host->unary_ops));
    vocabulary.glu_ops_ = TRY(NameMap::create(guest.glu_ops, host->glu_ops));
    const auto leaf = std::find_if(host->ops.begin(), host->ops.end(), [](const OpRules& rules) {
        return rules.kind == OpKind::kNone;
    });
    if (leaf == host->ops.end())
        return wire::fail(Fault::kSystem, "the host's ggml has no operation NONE");
    vocabulary.leaf_op_ = static_cast<uint32_t>(leaf - host->ops.begin());
    for (const TypeTraits& traits : host->types)
        vocabulary.type_sets_.push_back(type_set_of(traits.name));
    vocabulary.host_ = std::move(host);
    return vocabulary;
}

Result<uint32_t> Vocabulary::op(uint32_t guest) const {
    return known(ops_.find(guest), guest, "operation");
}
Result<uint32_t> Vocabulary::type(uint32_t guest) const {
    return known(types_.find(guest), guest, "type");
}
Result<uint32_t> Vocabulary::unary_op(uint32_t guest) const {
    return known(unary_ops_.find(guest), guest, "unary operation");
}
Result<uint32_t> Vocabulary::glu_op(uint32_t guest) const {
    return known(glu_ops_.find(guest), guest, "gated linear unit");
}

}  // namespace virtgpu::validate
