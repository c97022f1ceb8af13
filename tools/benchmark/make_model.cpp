// Writes a model of llama's architecture with random weights and a made-up vocabulary: for
// measuring, where only shapes and types count, and for comparing what two devices make of it.
//
// usage: make_model FILE SIZE TYPE     SIZE: see kShapes; TYPE: a ggml type such as f16 or q4_K
#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

struct Shape {
    int64_t width, layers, heads, key_heads, hidden;
    int64_t vocabulary = 32000;
    int64_t experts = 0, experts_used = 0;
};

// Those of well-known models: stories15M, stories110M, SmolLM 135M, TinyLlama, Llama 3 8B; the
// last is a mixture of experts of 6 billion weights, a billion of which compute a token.
const std::map<std::string, Shape> kShapes = {
    {"15m", {288, 6, 6, 6, 768}},
    {"110m", {768, 12, 12, 12, 2048}},
    {"135m", {576, 30, 9, 3, 1536, 49152}},
    {"1b", {2048, 22, 32, 4, 5632}},
    {"8b", {4096, 32, 32, 8, 14336, 128256}},
    {"moe", {2048, 24, 16, 4, 2560, 32000, 16, 2}},
};
constexpr uint32_t kContextLength = 8192;

struct Deleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(gguf_context* file) const { gguf_free(file); }
};

// Random blocks of a type, to be taken from again and again: drawing and quantising each weight of
// a large model would take minutes.
class Blocks {
 public:
    explicit Blocks(ggml_type type)
        : block_size_(ggml_type_size(type)), bytes_(ggml_row_size(type, kWeights)) {
        // Small, so that sums over rows stay in range.
        std::uniform_real_distribution<float> weight(-0.03F, 0.03F);
        std::vector<float> weights(kWeights);
        std::generate(weights.begin(), weights.end(), [&] { return weight(random_); });
        ggml_quantize_chunk(type, weights.data(), bytes_.data(), 0, 1, kWeights, nullptr);
    }

    // Fills it from a random place on, and then from others.
    void fill(std::vector<char>& data) {
        for (size_t filled = 0; filled < data.size();) {
            const size_t block = random_() % (bytes_.size() / block_size_ / 2);
            const size_t size = std::min(bytes_.size() / 2, data.size() - filled);
            std::memcpy(data.data() + filled, bytes_.data() + block * block_size_, size);
            filled += size;
        }
    }

 private:
    static constexpr int64_t kWeights = int64_t{1} << 20;

    const size_t block_size_;
    std::minstd_rand random_{1};  // NOLINT(cert-msc51-cpp): the same model every time
    std::vector<char> bytes_;
};

class Model {
 public:
    Model(const Shape& shape, ggml_type type) : shape_(shape), type_(type), blocks_(type) {
        describe();
        add_vocabulary();
        add_weights();
    }

    bool write(const char* path) const { return gguf_write_to_file(file_.get(), path, false); }

 private:
    void number(const char* key, int64_t value) {
        gguf_set_val_u32(file_.get(), key, static_cast<uint32_t>(value));
    }

    void describe() {
        gguf_set_val_str(file_.get(), "general.architecture", "llama");
        gguf_set_val_str(file_.get(), "general.name", "random");
        number("llama.context_length", kContextLength);
        number("llama.embedding_length", shape_.width);
        number("llama.block_count", shape_.layers);
        number("llama.feed_forward_length", shape_.hidden);
        number("llama.attention.head_count", shape_.heads);
        number("llama.attention.head_count_kv", shape_.key_heads);
        number("llama.rope.dimension_count", shape_.width / shape_.heads);
        number("llama.vocab_size", shape_.vocabulary);
        gguf_set_val_f32(file_.get(), "llama.attention.layer_norm_rms_epsilon", 1e-5F);
        if (shape_.experts > 0) {
            number("llama.expert_count", shape_.experts);
            number("llama.expert_used_count", shape_.experts_used);
        }
    }

    // SentencePiece's kind: three special tokens, all bytes, and words of letters.
    void add_vocabulary() {
        enum Kind : int32_t { kWord = 1, kUnknown = 2, kControl = 3, kByte = 6 };
        std::vector<std::string> words = {"<unk>", "<s>", "</s>"};
        std::vector<int32_t> kinds = {kUnknown, kControl, kControl};
        for (int i = 0; i < 256; ++i) {
            std::array<char, 8> text{};
            static_cast<void>(std::snprintf(text.data(), text.size(), "<0x%02X>", i));
            words.emplace_back(text.data());
            kinds.push_back(kByte);
        }
        std::vector<float> scores(words.size(), 0.0F);
        for (size_t i = 0; words.size() < static_cast<size_t>(shape_.vocabulary); ++i) {
            words.push_back(word(i));
            kinds.push_back(kWord);
            scores.push_back(-static_cast<float>(i));
        }
        std::vector<const char*> pointers;
        for (const std::string& text : words)
            pointers.push_back(text.c_str());
        gguf_set_val_str(file_.get(), "tokenizer.ggml.model", "llama");
        gguf_set_arr_str(file_.get(), "tokenizer.ggml.tokens", pointers.data(), pointers.size());
        gguf_set_arr_data(file_.get(), "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores.data(),
                          scores.size());
        gguf_set_arr_data(file_.get(), "tokenizer.ggml.token_type", GGUF_TYPE_INT32, kinds.data(),
                          kinds.size());
        number("tokenizer.ggml.bos_token_id", 1);
        number("tokenizer.ggml.eos_token_id", 2);
        number("tokenizer.ggml.unknown_token_id", 0);
    }

    // a, b, ... z, aa, ba, ...; every second one begins a word.
    static std::string word(size_t number) {
        std::string text = number % 2 == 0 ? "\u2581" : "";
        for (size_t rest = number / 2 + 1; rest > 0; rest = (rest - 1) / 26)
            text += static_cast<char>('a' + (rest - 1) % 26);
        return text;
    }

    void add_weights() {
        const int64_t keys = shape_.width / shape_.heads * shape_.key_heads;
        add_matrix("token_embd.weight", {shape_.width, shape_.vocabulary});
        for (int64_t i = 0; i < shape_.layers; ++i) {
            const std::string block = "blk." + std::to_string(i) + ".";
            add_norm(block + "attn_norm.weight");
            add_matrix(block + "attn_q.weight", {shape_.width, shape_.width});
            add_matrix(block + "attn_k.weight", {shape_.width, keys});
            add_matrix(block + "attn_v.weight", {shape_.width, keys});
            add_matrix(block + "attn_output.weight", {shape_.width, shape_.width});
            add_norm(block + "ffn_norm.weight");
            if (shape_.experts == 0)
                add_network(block, "", {});
            else
                add_experts(block);
        }
        add_norm("output_norm.weight");
    }

    void add_experts(const std::string& block) {
        // Which experts a token goes to is decided in F32.
        std::uniform_real_distribution<float> weight(-0.03F, 0.03F);
        ggml_tensor* const gate =
            add(block + "ffn_gate_inp.weight",
                ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, shape_.width, shape_.experts));
        std::generate_n(static_cast<float*>(gate->data), ggml_nelements(gate),
                        [&] { return weight(random_); });
        add_network(block, "_exps", {shape_.experts});
    }

    void add_network(const std::string& block, const std::string& suffix,
                     const std::vector<int64_t>& experts) {
        const auto matrix = [&](const char* name, int64_t columns, int64_t rows) {
            std::vector<int64_t> sizes = {columns, rows};
            sizes.insert(sizes.end(), experts.begin(), experts.end());
            add_matrix(block + name + suffix + ".weight", sizes);
        };
        matrix("ffn_gate", shape_.width, shape_.hidden);
        matrix("ffn_up", shape_.width, shape_.hidden);
        matrix("ffn_down", shape_.hidden, shape_.width);
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

    void add_matrix(const std::string& name, const std::vector<int64_t>& sizes) {
        add(name,
            ggml_new_tensor(context_.get(), type_, static_cast<int>(sizes.size()), sizes.data()));
        blocks_.fill(data_.back());
    }

    static constexpr size_t kMostTensors = 1000;

    const Shape shape_;
    const ggml_type type_;
    Blocks blocks_;
    std::minstd_rand random_{2};  // NOLINT(cert-msc51-cpp): the same model every time
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
        static_cast<void>(std::fprintf(
            stderr, "usage: make_model FILE 15m|110m|135m|1b|8b|moe f16|q8_0|q4_0|q4_K|...\n"));
        return EXIT_FAILURE;
    }
    if (!Model(shape->second, type).write(argv[1])) {
        static_cast<void>(std::fprintf(stderr, "make_model: cannot write %s\n", argv[1]));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
