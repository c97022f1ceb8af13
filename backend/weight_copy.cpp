#include "backend/weight_copy.h"

#include <algorithm>

#include "backend/printable.h"
#include "backend/sys/huge_pages.h"

namespace virtgpu::backend {

namespace {

// What a copy costs beside its data: these objects, ggml's buffer and what the allocator adds.
constexpr uint64_t kBytesBeside = 2048;

}  // namespace

Result<std::unique_ptr<WeightCopy>> WeightCopy::make(const ggml_tensor& original,
                                                     ggml_backend_buffer_type_t type,
                                                     std::shared_ptr<MemoryAccount> account) {
    std::unique_ptr<WeightCopy> copy(new WeightCopy(original, std::move(account)));
    TRY(copy->allocate(type));
    return copy;
}

WeightCopy::WeightCopy(const ggml_tensor& original, std::shared_ptr<MemoryAccount> account)
    : original_(original.data), account_(std::move(account)), tensor_(original) {
    tensor_.buffer = nullptr;
    tensor_.data = nullptr;
    tensor_.extra = nullptr;
    // Backends log the names of what they convert, and guests choose them.
    ggml_set_name(&tensor_, printable(original.name).c_str());
}

Result<void> WeightCopy::allocate(ggml_backend_buffer_type_t type) {
    const uint64_t size = ggml_backend_buft_get_alloc_size(type, &tensor_);
    TRY(account_->take_spare(size + kBytesBeside));
    taken_ = size + kBytesBeside;
    buffer_ = ggml_backend_buft_alloc_buffer(type, size);
    if (buffer_ == nullptr)
        return wire::fail(Fault::kRefused, "{} has no room for {} bytes",
                          ggml_backend_buft_name(type), size);
    void* const base = ggml_backend_buffer_get_base(buffer_);
    if (size >= account_->smallest_huge())
        ask_for_huge_pages(base, size);
    ggml_backend_buffer_set_usage(buffer_, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    if (ggml_backend_tensor_alloc(buffer_, &tensor_, base) != GGML_STATUS_SUCCESS)
        return wire::fail(Fault::kRefused, "{} does not take a tensor",
                          ggml_backend_buft_name(type));
    return {};
}

WeightCopy::~WeightCopy() {
    ggml_backend_buffer_free(buffer_);
    account_->give_back(taken_);
}

bool WeightCopy::is_of(const ggml_tensor& original) const {
    return original.data == original_ && original.type == tensor_.type &&
           std::equal(std::begin(original.ne), std::end(original.ne), std::begin(tensor_.ne));
}

void WeightCopy::fill() {
    // Whole, because such buffers take nothing less.
    ggml_backend_tensor_set(&tensor_, original_, 0, ggml_nbytes(&tensor_));
    stale_ = false;
}

}  // namespace virtgpu::backend
