// The numbers of a guest's ggml, translated to those of the host's by name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/validate/op_rules.h"
#include "backend/validate/type_set.h"
#include "protocol/generated/structures.h"

namespace virtgpu::validate {

struct TypeTraits {
    std::string name;
    uint32_t block_size = 0;  // elements; 0 for a type that cannot be used
    uint32_t type_size = 0;   // bytes of a block
};

// What the host's ggml has, by its own numbers. Filled from ggml by backend/.
struct HostVocabulary {
    std::vector<OpRules> ops;
    std::vector<TypeTraits> types;
    std::vector<std::string> unary_ops;
    std::vector<std::string> glu_ops;
};

// From a guest's number to the host's.
class NameMap {
 public:
    // `host` holds the host's names by number, empty where there is none. Names that the host does
    // not know are left out. Fault::kPeer for a number out of range or given twice.
    static Result<NameMap> create(const std::vector<protocol::Name>& guest,
                                  const std::vector<std::string>& host);

    std::optional<uint32_t> find(uint32_t guest) const {
        return guest < numbers_.size() ? numbers_[guest] : std::nullopt;
    }

 private:
    std::vector<std::optional<uint32_t>> numbers_;
};

// Immutable once made, so any thread may use it. A number that means nothing to the host is
// Fault::kRefused: a newer guest may well ask for it.
class Vocabulary {
 public:
    static Result<Vocabulary> negotiate(std::shared_ptr<const HostVocabulary> host,
                                        const protocol::HelloRequest& guest);

    Result<uint32_t> op(uint32_t guest) const;
    Result<uint32_t> type(uint32_t guest) const;
    Result<uint32_t> unary_op(uint32_t guest) const;
    Result<uint32_t> glu_op(uint32_t guest) const;

    // By the host's numbers, as returned above.
    const OpRules& rules(uint32_t op) const { return host_->ops[op]; }
    const TypeTraits& traits(uint32_t type) const { return host_->types[type]; }
    TypeSet type_set(uint32_t type) const { return type_sets_[type]; }
    const std::string& glu_name(uint32_t variant) const { return host_->glu_ops[variant]; }
    uint32_t leaf_op() const { return leaf_op_; }

 private:
    std::shared_ptr<const HostVocabulary> host_;
    std::vector<TypeSet> type_sets_;
    NameMap ops_;
    NameMap types_;
    NameMap unary_ops_;
    NameMap glu_ops_;
    uint32_t leaf_op_ = 0;
};

}  // namespace virtgpu::validate
