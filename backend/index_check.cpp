#include "backend/index_check.h"

#include <algorithm>
#include <cstring>

#include "backend/printable.h"

namespace virtgpu::backend {

namespace {

// Elements between two questions whether to end: some microseconds.
constexpr int64_t kBetweenQuestions = 1 << 14;

const std::byte* row_of(const ggml_tensor& tensor, int64_t row) {
    const auto i1 = static_cast<size_t>(row % tensor.ne[1]);
    const auto i2 = static_cast<size_t>(row / tensor.ne[1] % tensor.ne[2]);
    const auto i3 = static_cast<size_t>(row / tensor.ne[1] / tensor.ne[2]);
    return static_cast<const std::byte*>(tensor.data) + i1 * tensor.nb[1] + i2 * tensor.nb[2] +
           i3 * tensor.nb[3];
}

enum class Outcome { kInRange, kOutOfRange, kEnded };

template <typename Index>
Outcome look_at(const ggml_tensor& tensor, int64_t bound, const std::function<bool()>& ends) {
    int64_t until_question = kBetweenQuestions;
    for (int64_t row = 0; row < ggml_nrows(&tensor); ++row) {
        const std::byte* const first = row_of(tensor, row);
        for (int64_t i = 0; i < tensor.ne[0]; ++i) {
            Index index = 0;
            std::memcpy(&index, first + static_cast<size_t>(i) * tensor.nb[0], sizeof index);
            if (index < 0 || index >= bound)
                return Outcome::kOutOfRange;
            if (--until_question > 0)
                continue;
            if (ends())
                return Outcome::kEnded;
            until_question = kBetweenQuestions;
        }
    }
    return Outcome::kInRange;
}

Outcome look_at(const ggml_tensor& tensor, int64_t bound, const std::function<bool()>& ends) {
    return tensor.type == GGML_TYPE_I64 ? look_at<int64_t>(tensor, bound, ends)
                                        : look_at<int32_t>(tensor, bound, ends);
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

Result<void> IndexCheck::check(const std::function<bool()>& ends) const {
    for (const Use& use : uses_) {
        const Outcome outcome = ends() ? Outcome::kEnded : look_at(*use.tensor, use.bound, ends);
        if (outcome == Outcome::kEnded)
            return wire::fail(Fault::kRefused, "the indices of a graph took too long to look at");
        if (outcome == Outcome::kOutOfRange)
            return wire::fail(Fault::kRefused, "an index in '{}' is not below {}",
                              printable(use.tensor->name), use.bound);
    }
    return {};
}

}  // namespace virtgpu::backend
