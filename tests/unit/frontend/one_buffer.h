#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "frontend/tensor_description.h"

namespace virtgpu::test {

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};

// Every tensor that owns data is in one buffer, one after the other.
class OneBuffer : public frontend::TensorPlacer {
 public:
    wire::Result<frontend::TensorPlace> place(const ggml_tensor& tensor) override {
        if (&tensor == refused)
            return wire::fail(wire::Fault::kRefused, "elsewhere");
        if (tensor.view_src != nullptr)
            return frontend::TensorPlace{
                handle, TRY(place(*tensor.view_src)).offset + tensor.view_offs, kBufferBytes};
        const auto [entry, added] = offsets_.try_emplace(&tensor, next_);
        if (added)
            next_ += ggml_nbytes(&tensor);
        return frontend::TensorPlace{handle, entry->second, kBufferBytes};
    }

    static constexpr uint64_t kBufferBytes = 4096;
    protocol::Handle handle{7, 1};
    const ggml_tensor* refused = nullptr;

 private:
    std::map<const ggml_tensor*, uint64_t> offsets_;
    uint64_t next_ = 0;
};

}  // namespace virtgpu::test
