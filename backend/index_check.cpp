#include "backend/index_check.h"

#include <algorithm>
#include <cstring>

#include "backend/printable.h"

namespace virtgpu::backend {

namespace {

template <typename Index>
bool are_less(const std::byte* row, const ggml_tensor& tensor, int64_t bound) {
    for (int64_t i = 0; i < tensor.ne[0]; ++i) {
        Index index = 0;
        std::memcpy(&index, row + static_cast<size_t>(i) * tensor.nb[0], sizeof index);
        if (index < 0 || index >= bound)
            return false;
    }
    return true;
}

template <typename Index>
bool all_are_less(const ggml_tensor& tensor, int64_t bound) {
    const auto* const base = static_cast<const std::byte*>(tensor.data);
    for (int64_t row = 0; row < ggml_nrows(&tensor); ++row) {
        const auto i1 = static_cast<size_t>(row % tensor.ne[1]);
        const auto i2 = static_cast<size_t>(row / tensor.ne[1] % tensor.ne[2]);
        const auto i3 = static_cast<size_t>(row / tensor.ne[1] / tensor.ne[2]);
        const size_t offset = i1 * tensor.nb[1] + i2 * tensor.nb[2] + i3 * tensor.nb[3];
        if (!are_less<Index>(base + offset, tensor, bound))
            return false;
    }
    return true;
}

bool is_in_range(const ggml_tensor& tensor, int64_t bound) {
    return tensor.type == GGML_TYPE_I64 ? all_are_less<int64_t>(tensor, bound)
                                        : all_are_less<int32_t>(tensor, bound);
}

}  // namespace

void IndexCheck::choose(const validate::Vocabulary& vocabulary, const validate::ValidGraph& graph,
                        const GraphBuilder& builder) {
    uses_.clear();
    for (const validate::IndexUse& use : validate::find_indices(vocabulary, graph)) {
        const ggml_tensor* const tensor = builder.tensor(use.tensor);
        if (tensor->buffer != nullptr && ggml_backend_buffer_is_host(tensor->buffer))
            uses_.push_back({tensor, use.bound});
    }
}

Result<void> IndexCheck::check() const {
    for (const Use& use : uses_)
        if (!is_in_range(*use.tensor, use.bound))
            return wire::fail(Fault::kRefused, "an index in '{}' is not below {}",
                              printable(use.tensor->name), use.bound);
    return {};
}

}  // namespace virtgpu::backend
