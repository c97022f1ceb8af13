// What a ggml graph knows and ggml has no function for.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <optional>

namespace virtgpu::ggml_private {

// ggml keeps its graphs in a private structure, so the layout that we know is tried out once. Where
// it is another, nothing is known of any graph. Thread safe.
class GraphInternals {
 public:
    GraphInternals() : available_(layout_is_known()) {}

    bool available() const { return available_; }

    // How often the result of a node is used in the whole graph, of which a backend is given only a
    // part. A host that did not know of uses elsewhere would fuse the node away. Nothing when it
    // cannot be told.
    std::optional<int32_t> uses(const ggml_cgraph& graph, const ggml_tensor& node) const;

    // A number that no other graph of this process has or had, and that the graph keeps as long as
    // nothing in it changes. 0 when it has none.
    uint64_t uid(const ggml_cgraph& graph) const;
    void set_uid(ggml_cgraph& graph, uint64_t uid) const;

 private:
    static bool layout_is_known();

    bool available_;
};

}  // namespace virtgpu::ggml_private
