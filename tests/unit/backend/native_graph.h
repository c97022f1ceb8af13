// A graph that is computed by ggml itself, and its description for the wire.
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// All tensors lie in one buffer, so offsets there are offsets in a remote buffer of the same size.
class NativeGraph {
 public:
    // `build` makes the graph's last node from tensors of the context.
    explicit NativeGraph(const std::function<ggml_tensor*(ggml_context*)>& build)
        : context_(
              ggml_init({.mem_size = size_t{16} << 20, .mem_buffer = nullptr, .no_alloc = true})),
          backend_(ggml_backend_init_by_name("CPU", nullptr)) {
        result = build(context_);
        graph = ggml_new_graph(context_);
        ggml_build_forward_expand(graph, result);
        buffer_ = ggml_backend_alloc_buffer(backend_, size_t{1} << 20);
        place_all();
        fill_leaves();
    }
    ~NativeGraph() {
        ggml_backend_buffer_free(buffer_);
        ggml_backend_free(backend_);
        ggml_free(context_);
    }
    NativeGraph(const NativeGraph&) = delete;
    NativeGraph& operator=(const NativeGraph&) = delete;

    ggml_status compute() { return ggml_backend_graph_compute(backend_, graph); }

    uint64_t size() const { return ggml_backend_buffer_get_size(buffer_); }
    const std::byte* bytes() const {
        return static_cast<const std::byte*>(ggml_backend_buffer_get_base(buffer_));
    }
    uint64_t offset_of(const ggml_tensor* tensor) const {
        return static_cast<uint64_t>(static_cast<const std::byte*>(tensor->data) - bytes());
    }

    // What the graph reads and does not compute.
    std::vector<const ggml_tensor*> leaves() const {
        std::vector<const ggml_tensor*> leaves;
        std::copy_if(order_.begin(), order_.end(), std::back_inserter(leaves),
                     [](const ggml_tensor* tensor) {
                         return tensor->op == GGML_OP_NONE && tensor->view_src == nullptr;
                     });
        return leaves;
    }

    protocol::Graph describe(protocol::Handle buffer) const {
        protocol::Graph described;
        std::map<const ggml_tensor*, uint32_t> references;
        for (ggml_tensor* const tensor : order_)
            describe_tensor(tensor, buffer, references, described);
        for (int i = 0; i < ggml_graph_n_nodes(graph); ++i)
            described.nodes.push_back(references[ggml_graph_node(graph, i)] - 1);
        return described;
    }

    static protocol::Tensor describe_alone(const ggml_tensor* tensor) {
        protocol::Tensor described;
        described.type = tensor->type;
        described.op = tensor->op;
        described.flags = static_cast<uint32_t>(tensor->flags);
        std::copy_n(tensor->ne, 4, described.ne.begin());
        std::copy_n(tensor->nb, 4, described.nb.begin());
        std::memcpy(described.op_params.data(), tensor->op_params, sizeof described.op_params);
        std::memcpy(described.name.data(), tensor->name, sizeof described.name);
        return described;
    }

    ggml_tensor* result = nullptr;
    ggml_cgraph* graph = nullptr;

 private:
    void place_all() {
        auto* const base = static_cast<std::byte*>(ggml_backend_buffer_get_base(buffer_));
        size_t used = 0;
        for (ggml_tensor* tensor = ggml_get_first_tensor(context_); tensor != nullptr;
             tensor = ggml_get_next_tensor(context_, tensor)) {
            if (tensor->view_src != nullptr) {
                ggml_backend_view_init(tensor);
            } else {
                ggml_backend_tensor_alloc(buffer_, tensor, base + used);
                used += (ggml_nbytes(tensor) + 63) & ~size_t{63};
            }
            order_.push_back(tensor);
        }
    }

    void fill_leaves() {
        std::mt19937 random(1);
        for (ggml_tensor* const tensor : order_)
            if (tensor->op == GGML_OP_NONE && tensor->view_src == nullptr)
                fill(*tensor, random);
    }

    static void fill(ggml_tensor& tensor, std::mt19937& random) {
        const auto count = static_cast<size_t>(ggml_nelements(&tensor));
        std::uniform_real_distribution<float> value(-1, 1);
        std::vector<float> values(count);
        std::generate(values.begin(), values.end(), [&] { return value(random); });
        // Indices: of one of the first four of whatever there are several of.
        if (tensor.type == GGML_TYPE_I32)
            for (size_t i = 0; i < count; ++i)
                static_cast<int32_t*>(tensor.data)[i] = static_cast<int32_t>(i % 4);
        else if (tensor.type == GGML_TYPE_F32)
            std::memcpy(tensor.data, values.data(), count * sizeof(float));
        else if (ggml_is_quantized(tensor.type))
            ggml_quantize_chunk(tensor.type, values.data(), tensor.data, 0, ggml_nrows(&tensor),
                                tensor.ne[0], nullptr);
    }

    void describe_tensor(const ggml_tensor* tensor, protocol::Handle buffer,
                         std::map<const ggml_tensor*, uint32_t>& references,
                         protocol::Graph& described) const {
        protocol::GraphTensor entry;
        entry.tensor = describe_alone(tensor);
        entry.tensor.buffer = buffer;
        entry.tensor.data_offset = offset_of(tensor);
        for (size_t i = 0; i < entry.source.size(); ++i)
            if (tensor->src[i] != nullptr)
                entry.source[i] = references.at(tensor->src[i]);
        if (tensor->view_src != nullptr)
            entry.view_source = references.at(tensor->view_src);
        entry.view_offset = tensor->view_offs;
        described.tensors.push_back(entry);
        references[tensor] = static_cast<uint32_t>(described.tensors.size());
    }

    ggml_context* context_;
    ggml_backend_t backend_;
    ggml_backend_buffer_t buffer_ = nullptr;
    std::vector<ggml_tensor*> order_;
};

}  // namespace virtgpu::backend
