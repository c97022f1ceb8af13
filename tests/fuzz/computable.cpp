#include "tests/fuzz/computable.h"

namespace virtgpu::fuzz {

namespace {

bool overlap(const validate::ValidTensor& a, const validate::ValidTensor& b) {
    if (!a.place || !b.place || !(a.place->buffer == b.place->buffer))
        return false;
    return a.place->offset < b.place->offset + b.extent &&
           b.place->offset < a.place->offset + a.extent;
}

bool lie_alike(const validate::ValidTensor& a, const validate::ValidTensor& b) {
    return a.place->offset == b.place->offset && a.type == b.type && a.ne == b.ne && a.nb == b.nb;
}

}  // namespace

bool is_computable(const validate::ValidGraph& graph) {
    const validate::ValidGraphTensor* computed = nullptr;
    for (const validate::ValidGraphTensor& tensor : graph.tensors) {
        if (!validate::is_computed(tensor) || tensor.tensor.kind == validate::OpKind::kView)
            continue;
        if (computed != nullptr)
            return false;
        computed = &tensor;
    }
    if (computed == nullptr || computed->tensor.extent == 0)
        return false;
    for (const auto& source : computed->sources) {
        if (!source)
            continue;
        const validate::ValidTensor& read = graph.tensors[*source].tensor;
        if (overlap(computed->tensor, read) && !lie_alike(computed->tensor, read))
            return false;
    }
    return true;
}

}  // namespace virtgpu::fuzz
