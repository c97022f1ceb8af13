// Rebuilds checked tensors and graphs with ggml's public API.
#pragma once

#include <ggml.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "backend/held_buffers.h"
#include "backend/validate/graph.h"

namespace virtgpu::backend {

// Keeps one ggml context, whose memory is used again by the next build: no allocation and no leak
// per graph, and the same structure gets the same addresses, which CUDA knows graphs by. What a
// build returns is valid until the next. For one thread.
class GraphBuilder {
 public:
    GraphBuilder() = default;
    ~GraphBuilder();
    GraphBuilder(const GraphBuilder&) = delete;
    GraphBuilder& operator=(const GraphBuilder&) = delete;

    // A graph whose nodes are the graph's in their order. Fault::kSystem when ggml made another.
    Result<ggml_cgraph*> build_graph(const validate::ValidGraph& graph, const HeldBuffers& buffers);
    // Makes a tensor of the graph that was built last another, which refers to the same tensors.
    void update(uint32_t position, const validate::ValidGraphTensor& tensor,
                const HeldBuffers& buffers);
    // Of the tensors that were built last, by the position in the list that they were built from.
    ggml_tensor* tensor(uint32_t position) const { return tensors_[position]; }
    // Of the tensors that were built last, in the list that they were built from.
    std::unordered_map<const ggml_tensor*, uint32_t> positions() const;
    // The last tensor of the list.
    ggml_tensor* build_last(const validate::ValidGraph& graph, const HeldBuffers& buffers);
    // One tensor alone.
    ggml_tensor* build_tensor(const validate::ValidTensor& tensor, const HeldBuffers& buffers);

 private:
    void start(size_t tensors, size_t graph_size);
    void add_tensors(const validate::ValidGraph& graph, const HeldBuffers& buffers);
    ggml_tensor* add(const validate::ValidTensor& tensor, const HeldBuffers& buffers);
    static void describe(ggml_tensor& made, const validate::ValidTensor& tensor,
                         const HeldBuffers& buffers);

    ggml_context* context_ = nullptr;
    size_t capacity_ = 0;
    std::unique_ptr<std::byte[]> memory_;
    std::vector<ggml_tensor*> tensors_;
};

}  // namespace virtgpu::backend
