#include "ggml_private/graph_internals.h"

#include <span>
#include <vector>

#include "ggml_private/graph_layout.h"

namespace virtgpu::ggml_private {

namespace {

constexpr size_t kBitsPerWord = 32;
constexpr size_t kAddressShift = 4;

std::optional<int32_t> look_up(const ggml_cgraph& graph, const ggml_tensor& node) {
    const ggml_hash_set& set = graph.visited_hash_set;
    size_t slot = (reinterpret_cast<uintptr_t>(&node) >> kAddressShift) % set.size;
    for (size_t tried = 0; tried < set.size; ++tried, slot = (slot + 1) % set.size) {
        if ((set.used[slot / kBitsPerWord] >> (slot % kBitsPerWord) & 1) == 0)
            return std::nullopt;
        if (set.keys[slot] == &node)
            return graph.use_counts[slot];
    }
    return std::nullopt;
}

// A graph in memory of ours, so that a pointer of it can be checked before it is followed.
class Trial {
 public:
    Trial()
        : context_(ggml_init({kBytes, memory_.data(), true})),
          a_(ggml_new_tensor_1d(context_, GGML_TYPE_F32, 1)),
          square_(ggml_mul(context_, a_, a_)),
          sum_(ggml_add(context_, square_, a_)),
          graph_(ggml_new_graph_custom(context_, kNodes, false)) {
        ggml_build_forward_expand(graph_, sum_);
    }
    ~Trial() { ggml_free(context_); }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;

    bool layout_is_as_known() const {
        const ggml_hash_set& set = graph_->visited_hash_set;
        return graph_->size == static_cast<int>(kNodes) && graph_->n_nodes == 2 &&
               graph_->n_leafs == 1 && inside(graph_->nodes, 2) && graph_->nodes[0] == square_ &&
               graph_->nodes[1] == sum_ && inside(graph_->leafs, 1) && graph_->leafs[0] == a_ &&
               set.size >= kNodes && set.size <= kBytes && inside(set.keys, set.size) &&
               inside(set.used, (set.size + kBitsPerWord - 1) / kBitsPerWord) &&
               inside(graph_->use_counts, set.size) && look_up(*graph_, *a_) == 3 &&
               look_up(*graph_, *square_) == 1 && look_up(*graph_, *sum_) == 0 &&
               graph_->order == 0 && graph_->uid == 0 &&
               // The arrays follow the structure, so this is where it ends.
               reinterpret_cast<std::byte*>(graph_->nodes) ==
                   reinterpret_cast<std::byte*>(graph_) + sizeof *graph_;
    }

 private:
    static constexpr size_t kBytes = size_t{64} * 1024;
    static constexpr size_t kNodes = 16;

    template <typename T>
    bool inside(const T* array, size_t count) const {
        const auto first = reinterpret_cast<uintptr_t>(array);
        const auto begin = reinterpret_cast<uintptr_t>(memory_.data());
        return first >= begin && first <= begin + kBytes && first % alignof(T) == 0 &&
               std::span(array, count).size_bytes() <= begin + kBytes - first;
    }

    std::vector<std::byte> memory_ = std::vector<std::byte>(kBytes);
    ggml_context* context_;
    ggml_tensor* a_;
    ggml_tensor* square_;
    ggml_tensor* sum_;
    ggml_cgraph* graph_;
};

}  // namespace

bool GraphInternals::layout_is_known() {
    return Trial().layout_is_as_known();
}

std::optional<int32_t> GraphInternals::uses(const ggml_cgraph& graph, const ggml_tensor& node) const {
    // A graph made without a table, as for a single node, has size 0 there.
    if (!available_ || graph.visited_hash_set.size == 0 || graph.use_counts == nullptr)
        return std::nullopt;
    return look_up(graph, node);
}

uint64_t GraphInternals::uid(const ggml_cgraph& graph) const {
    return available_ ? graph.uid : 0;
}

void GraphInternals::set_uid(ggml_cgraph& graph, uint64_t uid) const {
    if (available_)
        graph.uid = uid;
}

}  // namespace virtgpu::ggml_private
