// A node of a graph as the rules of its operation see it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/validate/tensor.h"

namespace virtgpu::validate {

// The node's result and its sources, in ggml's order.
enum class Operand : uint8_t { kResult, kA, kB, kC, kD, kE, kF, kG, kH, kI, kJ };

constexpr Operand source_operand(size_t position) {
    return static_cast<Operand>(position + 1);
}

// Keeps references to its tensors and the vocabulary.
class Node {
 public:
    static constexpr size_t kMaxSources = 10;
    using Sources = std::array<const ValidTensor*, kMaxSources>;

    Node(const Vocabulary& vocabulary, const ValidTensor& result, const Sources& sources)
        : vocabulary_(vocabulary), tensors_{&result} {
        std::copy(sources.begin(), sources.end(), tensors_.begin() + 1);
    }

    bool has(Operand x) const { return tensors_[static_cast<size_t>(x)] != nullptr; }

    // Of an operand that is there.
    const ValidTensor& operator[](Operand x) const { return *tensors_[static_cast<size_t>(x)]; }
    int64_t ne(Operand x, size_t dimension) const { return (*this)[x].ne[dimension]; }
    uint64_t nb(Operand x, size_t dimension) const { return (*this)[x].nb[dimension]; }
    TypeSet type(Operand x) const { return vocabulary_.type_set((*this)[x].type); }
    bool is(Operand x, TypeSet set) const { return (type(x) & set) != 0; }
    uint64_t type_size(Operand x) const { return vocabulary_.traits((*this)[x].type).type_size; }
    int64_t block(Operand x) const { return vocabulary_.traits((*this)[x].type).block_size; }
    // Exact: layouts with larger numbers are refused before.
    int64_t elements(Operand x) const {
        const Elements& ne = (*this)[x].ne;
        return ne[0] * ne[1] * ne[2] * ne[3];
    }
    int64_t rows(Operand x) const {
        const Elements& ne = (*this)[x].ne;
        return ne[1] * ne[2] * ne[3];
    }
    bool empty(Operand x) const { return elements(x) == 0; }

    // Of a gated linear unit, by ggml's name.
    std::string_view glu_op() const {
        return vocabulary_.glu_name(static_cast<uint32_t>(param(0)));
    }
    int32_t param(size_t word) const { return tensors_[0]->op_params[word]; }
    float param_as_float(size_t word) const { return std::bit_cast<float>(param(word)); }

 private:
    const Vocabulary& vocabulary_;
    std::array<const ValidTensor*, kMaxSources + 1> tensors_;
};

}  // namespace virtgpu::validate
