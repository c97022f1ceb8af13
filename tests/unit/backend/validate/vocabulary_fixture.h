// A small host's ggml and a guest whose numbers are all different.
#pragma once

#include <map>

#include "backend/validate/graph.h"

namespace virtgpu::validate {

inline std::shared_ptr<const HostVocabulary> small_host() {
    auto host = std::make_shared<HostVocabulary>();
    for (const char* name : {"NONE", "ADD", "MUL_MAT", "VIEW", "UNARY", "GLU", "CUSTOM",
                             "MAP_CUSTOM1", "MAP_CUSTOM2", "MAP_CUSTOM3"})
        host->ops.push_back(rules_for(name));
    host->types = {{"f32", 1, 4}, {"", 0, 0}, {"q8_0", 32, 34}};
    host->unary_ops = {"ABS", "NEG"};
    host->glu_ops = {"REGLU", "SWIGLU"};
    return host;
}

// The guest's numbers are the host's plus this.
constexpr uint32_t kShift = 20;

inline std::vector<protocol::Name> shifted(const std::vector<std::string>& names) {
    std::vector<protocol::Name> shifted;
    for (uint32_t i = 0; i < names.size(); ++i)
        shifted.push_back({i + kShift, names[i]});
    return shifted;
}

inline protocol::HelloRequest small_guest() {
    protocol::HelloRequest hello;
    hello.ops = shifted({"NONE", "ADD", "MUL_MAT", "VIEW", "UNARY", "GLU", "CUSTOM", "MAP_CUSTOM1",
                         "MAP_CUSTOM2", "MAP_CUSTOM3", "OP_OF_THE_FUTURE"});
    hello.types = shifted({"f32", "deprecated", "q8_0", "type_of_the_future"});
    hello.unary_ops = shifted({"NEG", "ABS"});
    hello.glu_ops = shifted({"SWIGLU", "REGLU"});
    return hello;
}

enum : uint32_t { kNone, kAdd, kMulMat, kView, kUnary, kGlu, kCustom, kMapCustom1 };
enum : uint32_t { kF32, kDeprecated, kQ8 };

class FakeBuffers : public BufferSizes {
 public:
    Result<uint64_t> size_of(protocol::Handle buffer) override {
        const auto found = sizes.find(buffer.index);
        if (found == sizes.end() || buffer.generation != 1)
            return wire::fail(Fault::kPeer, "no buffer");
        return found->second;
    }

    std::map<uint32_t, uint64_t> sizes = {{0, 4096}, {1, 1024}};
};

// 8x4 floats, contiguous, at the start of buffer 0.
inline protocol::Tensor small_tensor(uint32_t op = kNone) {
    protocol::Tensor tensor;
    tensor.type = kF32 + kShift;
    tensor.op = op + kShift;
    tensor.ne = {8, 4, 1, 1};
    tensor.nb = {4, 32, 128, 128};
    tensor.buffer = {0, 1};
    return tensor;
}

inline protocol::GraphTensor small_node(uint32_t op, std::initializer_list<uint32_t> sources) {
    protocol::GraphTensor node;
    node.tensor = small_tensor(op);
    std::copy(sources.begin(), sources.end(), node.source.begin());
    return node;
}

struct Checker {
    Vocabulary vocabulary = *Vocabulary::negotiate(small_host(), small_guest());
    FakeBuffers buffers;
    TensorValidator validator{vocabulary, buffers};

    Result<ValidTensor> check(const protocol::Tensor& tensor,
                              Placement placement = Placement::kRequired) {
        return validator.check(tensor, placement);
    }
};

template <typename T>
std::string outcome(const Result<T>& result) {
    if (result)
        return "valid";
    return result.error().fault() == Fault::kPeer ? "peer" : "refused";
}

}  // namespace virtgpu::validate
