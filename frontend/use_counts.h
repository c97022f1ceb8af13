#pragma once

#include <ggml.h>

#include <cstdint>
#include <optional>

namespace virtgpu::frontend {

// How often the result of a node is used in the whole graph, of which a backend is given only a
// part. A host that did not know of uses elsewhere would fuse the node away. ggml keeps the number
// in a private structure, so the layout that we know is tried out once.
class UseCounts {
 public:
    UseCounts() : available_(layout_is_known()) {}

    bool available() const { return available_; }
    // Nothing when it cannot be told.
    std::optional<int32_t> of(const ggml_cgraph& graph, const ggml_tensor& node) const;

 private:
    static bool layout_is_known();

    bool available_;
};

}  // namespace virtgpu::frontend
