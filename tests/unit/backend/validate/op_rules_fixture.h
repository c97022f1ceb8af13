// Nodes that ggml's functions make, as the validator sees them.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "backend/ggml_vocabulary.h"
#include "backend/validate/graph.h"
#include "backend/validate/op_table.h"
#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"
#include "tests/unit/backend/op_samples.h"

namespace virtgpu::backend {

class NoBuffers : public validate::BufferSizes {
 public:
    Result<uint64_t> size_of(protocol::Handle /*buffer*/) override {
        return wire::fail(Fault::kPeer, "there are no buffers");
    }
};

// A node, last, and what it refers to, without places.
inline std::vector<protocol::GraphTensor> describe(const ggml_tensor* node) {
    std::vector<protocol::GraphTensor> tensors;
    std::map<const ggml_tensor*, uint32_t> references;
    protocol::GraphTensor last;
    last.tensor = NativeGraph::describe_alone(node);
    for (size_t i = 0; i < GGML_MAX_SRC; ++i) {
        const ggml_tensor* const source = node->src[i];
        if (source == nullptr)
            continue;
        if (!references.contains(source)) {
            protocol::GraphTensor entry;
            entry.tensor = NativeGraph::describe_alone(source);
            tensors.push_back(entry);
            references[source] = static_cast<uint32_t>(tensors.size());
        }
        last.source[i] = references[source];
    }
    tensors.push_back(last);
    return tensors;
}

class OpRulesTest : public ::testing::Test {
 protected:
    OpRulesTest()
        : context_(
              ggml_init({.mem_size = size_t{4} << 20, .mem_buffer = nullptr, .no_alloc = true})) {
        for (const Sample& sample : all_samples())
            nodes_.push_back(sample(Maker(context_)));
    }
    ~OpRulesTest() override { ggml_free(context_); }

    std::string outcome(const std::vector<protocol::GraphTensor>& tensors) {
        const auto checked = validate::check_bundle(validator_, tensors);
        if (checked)
            return "valid";
        return checked.error().fault() == Fault::kRefused ? checked.error().message() : "peer";
    }
    bool is_valid(const std::vector<protocol::GraphTensor>& tensors) {
        return outcome(tensors) == "valid";
    }
    const validate::OpRow& row(const ggml_tensor* node) {
        return *validate::rules_for(ggml_op_name(node->op)).row;
    }

    ggml_context* context_;
    std::vector<ggml_tensor*> nodes_;
    NoBuffers buffers_;
    validate::Vocabulary vocabulary_ =
        *validate::Vocabulary::negotiate(read_ggml_vocabulary(), hello_of_this_ggml());
    validate::TensorValidator validator_{vocabulary_, buffers_};
};

// A contiguous layout of the shape.
inline void lay_out(protocol::Tensor& tensor) {
    tensor.nb[0] = ggml_type_size(static_cast<ggml_type>(tensor.type));
    tensor.nb[1] = ggml_row_size(static_cast<ggml_type>(tensor.type), tensor.ne[0]);
    for (size_t i = 2; i < 4; ++i)
        tensor.nb[i] = tensor.nb[i - 1] * static_cast<uint64_t>(tensor.ne[i - 1]);
}

inline protocol::GraphTensor& last(std::vector<protocol::GraphTensor>& tensors) {
    return tensors.back();
}

// A source of the last.
inline protocol::Tensor& source(std::vector<protocol::GraphTensor>& tensors, size_t number) {
    return tensors[tensors.back().source[number] - 1].tensor;
}

}  // namespace virtgpu::backend
