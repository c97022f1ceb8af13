// One tensor of weights a second time, in the layout that the device computes fastest with.
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <memory>

#include "backend/memory_account.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

// Stale from the start: it has its place but not yet its data. For one thread at a time.
class WeightCopy {
 public:
    // `original` is a contiguous leaf whose data the processor can read; the data must be there
    // for each fill(), the tensor need not. Fault::kRefused when the account or the backend has no
    // room.
    static Result<std::unique_ptr<WeightCopy>> make(const ggml_tensor& original,
                                                    ggml_backend_buffer_type_t type,
                                                    std::shared_ptr<MemoryAccount> account);
    ~WeightCopy();
    WeightCopy(const WeightCopy&) = delete;
    WeightCopy& operator=(const WeightCopy&) = delete;

    // For graphs, which may share it: nothing changes it any more.
    ggml_tensor* tensor() { return &tensor_; }
    uint64_t original_bytes() const { return ggml_nbytes(&tensor_); }
    bool is_of(const ggml_tensor& original) const;

    bool stale() const { return stale_; }
    void mark_stale() { stale_ = true; }
    void fill();

 private:
    WeightCopy(const ggml_tensor& original, std::shared_ptr<MemoryAccount> account);

    Result<void> allocate(ggml_backend_buffer_type_t type);

    const void* const original_;
    const std::shared_ptr<MemoryAccount> account_;
    ggml_tensor tensor_;
    ggml_backend_buffer_t buffer_ = nullptr;
    uint64_t taken_ = 0;
    bool stale_ = true;
};

}  // namespace virtgpu::backend
