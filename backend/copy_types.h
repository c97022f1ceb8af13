// In which buffer types a device computes faster with weights than in its default one.
#pragma once

#include <ggml-backend.h>

#include <vector>

namespace virtgpu::backend {

// ggml's extra buffer types of a device: the host's CPU has CPU_REPACK and perhaps AMX. Thread
// safe once made.
class CopyTypes {
 public:
    CopyTypes() = default;
    // Most devices have none.
    static CopyTypes of(ggml_backend_dev_t device);
    ~CopyTypes();
    CopyTypes(CopyTypes&& other) noexcept
        : device_(other.device_), types_(std::move(other.types_)) {
        other.types_.clear();
    }
    CopyTypes& operator=(CopyTypes&&) = delete;
    CopyTypes(const CopyTypes&) = delete;
    CopyTypes& operator=(const CopyTypes&) = delete;

    bool empty() const { return types_.empty(); }
    // The first type in which the device computes the node with its first source there, as
    // llama.cpp chooses for the weights that it loads; null when there is none.
    ggml_backend_buffer_type_t best_for(const ggml_tensor& node) const;

 private:
    struct Candidate {
        ggml_backend_buffer_type_t type;
        ggml_backend_buffer_t nothing;  // a buffer of the type and of no bytes, for questions
    };

    ggml_backend_dev_t device_ = nullptr;
    std::vector<Candidate> types_;
};

}  // namespace virtgpu::backend
