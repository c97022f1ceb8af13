// Writes a model of llama's architecture with random weights and without a vocabulary: for
// measuring, where only shapes and types count.
//
// usage: make_model FILE SIZE TYPE     SIZE: 15m, 110m or 1b; TYPE: a ggml type such as f16 or q4_0
#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

struct Shape {
    int64_t width, layers, heads, key_heads, hidden;
};

// Those of well-known small models: stories15M, stories110M, TinyLlama.
const std::map<std::string, Shape> kShapes = {
    {"15m", {288, 6, 6, 6, 768}},
    {"110m", {768, 12, 12, 12, 2048}},
    {"1b", {2048, 22, 32, 4, 5632}},
};
constexpr int64_t kVocabulary = 32000;
constexpr uint32_t kContextLength = 4096;

struct Deleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(gguf_context* file) const { gguf_free(file); }
};

class Model {
 public:
    Model(const Shape& shape, ggml_type type) : shape_(shape), type_(type) {
        describe();
        add_weights();
    }

    bool write(const char* path) const { return gguf_write_to_file(file_.get(), path, false); }

 private:
    void describe() {
        const auto number = [this](const char* key, int64_t value) {
            gguf_set_val_u32(file_.get(), key, static_cast<uint32_t>(value));
        };
        const int64_t head = shape_.width / shape_.heads;
        gguf_set_val_str(file_.get(), "general.architecture", "llama");
        gguf_set_val_str(file_.get(), "general.name", "random");
        number("llama.context_length", kContextLength);
        number("llama.embedding_length", shape_.width);
        number("llama.block_count", shape_.layers);
        number("llama.feed_forward_length", shape_.hidden);
        number("llama.attention.head_count", shape_.heads);
        number("llama.attention.head_count_kv", shape_.key_heads);
        number("llama.rope.dimension_count", head);
        number("llama.vocab_size", kVocabulary);
        gguf_set_val_f32(file_.get(), "llama.attention.layer_norm_rms_epsilon", 1e-5F);
        gguf_set_val_str(file_.get(), "tokenizer.ggml.model", "no_vocab");
    }

    void add_weights() {
        const int64_t keys = shape_.width / shape_.heads * shape_.key_heads;
        add_matrix("token_embd.weight", shape_.width, kVocabulary);
        for (int64_t i = 0; i < shape_.layers; ++i) {
            const std::string block = "blk." + std::to_string(i) + ".";
            add_norm(block + "attn_norm.weight");
            add_matrix(block + "attn_q.weight", shape_.width, shape_.width);
            add_matrix(block + "attn_k.weight", shape_.width, keys);
            add_matrix(block + "attn_v.weight", shape_.width, keys);
            add_matrix(block + "attn_output.weight", shape_.width, shape_.width);
            add_norm(block + "ffn_norm.weight");
            add_matrix(block + "ffn_gate.weight", shape_.width, shape_.hidden);
            add_matrix(block + "ffn_up.weight", shape_.width, shape_.hidden);
            add_matrix(block + "ffn_down.weight", shape_.hidden, shape_.width);
        }
        add_norm("output_norm.weight");
    }

    ggml_tensor* add(const std::string& name, ggml_tensor* tensor) {
        ggml_set_name(tensor, name.c_str());
        data_.emplace_back(ggml_nbytes(tensor));
        tensor->data = data_.back().data();
        gguf_add_tensor(file_.get(), tensor);
        return tensor;
    }

    void add_norm(const std::string& name) {
        ggml_tensor* const tensor =
            add(name, ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, shape_.width));
        std::fill_n(static_cast<float*>(tensor->data), shape_.width, 1.0F);
    }

    void add_matrix(const std::string& name, int64_t columns, int64_t rows) {
        ggml_tensor* const tensor =
            add(name, ggml_new_tensor_2d(context_.get(), type_, columns, rows));
        // Small, so that sums over rows stay in range.
        std::uniform_real_distribution<float> weight(-0.03F, 0.03F);
        std::vector<float> row(static_cast<size_t>(columns));
        for (int64_t i = 0; i < rows; ++i) {
            std::generate(row.begin(), row.end(), [&] { return weight(random_); });
            ggml_quantize_chunk(
                type_, row.data(),
                static_cast<char*>(tensor->data) + static_cast<size_t>(i) * tensor->nb[1], 0, 1,
                columns, nullptr);
        }
    }

    static constexpr size_t kMostTensors = 1000;

    const Shape shape_;
    const ggml_type type_;
    std::minstd_rand random_{1};  // NOLINT(cert-msc51-cpp): the same model every time
    std::unique_ptr<ggml_context, Deleter> context_{
        ggml_init({.mem_size = kMostTensors * ggml_tensor_overhead(),
                   .mem_buffer = nullptr,
                   .no_alloc = true})};
    std::unique_ptr<gguf_context, Deleter> file_{gguf_init_empty()};
    std::vector<std::vector<char>> data_;
};

ggml_type type_by_name(const std::string& name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i)
        if (name == ggml_type_name(static_cast<ggml_type>(i)))
            return static_cast<ggml_type>(i);
    return GGML_TYPE_COUNT;
}

}  // namespace

int main(int argc, char** argv) {
    const auto shape = argc == 4 ? kShapes.find(argv[2]) : kShapes.end();
    const ggml_type type = argc == 4 ? type_by_name(argv[3]) : GGML_TYPE_COUNT;
    if (shape == kShapes.end() || type == GGML_TYPE_COUNT) {
        static_cast<void>(
            std::fprintf(stderr, "usage: make_model FILE 15m|110m|1b f16|q8_0|q4_0|...\n"));
        return EXIT_FAILURE;
    }
    if (!Model(shape->second, type).write(argv[1])) {
        static_cast<void>(std::fprintf(stderr, "make_model: cannot write %s\n", argv[1]));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
