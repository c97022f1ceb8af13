// Computes graphs that it is sent on descriptor 3 with ggml's CPU backend. Given a file of an
// input, it computes that and says so: to look at a finding.
#include <dlfcn.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "tests/fuzz/graph_input.h"
#include "tests/fuzz/guarded_memory.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/vocabulary.h"

namespace virtgpu::fuzz {
namespace {

using Score = int (*)();

constexpr int kSocket = 3;
constexpr size_t kLargestInput = size_t{1} << 20;
constexpr size_t kRopeFactors = 2;  // the source
// Of processors' time, however busy the machine is. So small an input takes longer only where
// something counts to 2³⁰, or forever.
constexpr itimerval kLongest = {.it_interval = {0, 0}, .it_value = {5, 0}};

// By name: the numbers of vocabulary.h are others.
ggml_op op_of(const std::string& name) {
    for (int op = 0; op < GGML_OP_COUNT; ++op)
        if (name == ggml_op_name(static_cast<ggml_op>(op)))
            return static_cast<ggml_op>(op);
    require(false, "ggml knows the operation");
    return GGML_OP_NONE;
}

// The variant of the CPU backend that suits this processor best, as ggml itself would choose; no
// other backend is wanted here.
std::string best_cpu_library(const char* folder) {
    std::string best;
    int highest = 0;
    require(folder != nullptr, "GGML_VIRTGPU_BACKEND_DIR is set");
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string path = entry.path().string();
        if (entry.path().filename().string().rfind("libggml-cpu-", 0) != 0)
            continue;
        void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr)
            continue;
        if (const auto score = reinterpret_cast<Score>(::dlsym(library, "ggml_backend_score")))
            if (score() > highest) {
                highest = score();
                best = path;
            }
        ::dlclose(library);
    }
    return best;
}

class OperationRunner {
 public:
    OperationRunner() : vocabulary_(make_vocabulary()) {
        for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
            const auto& traits = ggml_types()[static_cast<size_t>(type)];
            if (traits.block_size != 0)
                require(traits.name == ggml_type_name(static_cast<ggml_type>(type)),
                        "vocabulary.h has ggml's types");
        }
        ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
        ggml_backend_load(best_cpu_library(std::getenv("GGML_VIRTGPU_BACKEND_DIR")).c_str());
        device_ = ggml_backend_dev_by_name("CPU");
        require(device_ != nullptr, "there is a CPU backend in $GGML_VIRTGPU_BACKEND_DIR");
        for (auto& memory : memories_)
            memory = std::make_unique<GuardedMemory>(kLargestBuffer);
        for (size_t i = 0; i < kBuffers; ++i)
            buffers_[i] =
                ggml_backend_cpu_buffer_from_ptr(memories_[i]->base(), memories_[i]->largest());
    }

    ~OperationRunner() {
        for (ggml_backend_buffer_t const buffer : buffers_)
            ggml_backend_buffer_free(buffer);
    }
    OperationRunner(const OperationRunner&) = delete;
    OperationRunner& operator=(const OperationRunner&) = delete;

    // What became of it, in words.
    std::string run(GraphInput input) {
        // All is computed; indices of what is not are not looked at.
        for (protocol::GraphTensor& entry : input.graph.tensors)
            entry.tensor.flags |= GGML_TENSOR_FLAG_COMPUTE;
        InputBuffers sizes(input);
        const auto graph =
            validate::check_graph(validate::TensorValidator(vocabulary_, sizes), input.graph);
        if (!graph)
            return "refused: " + graph.error().message();
        shrink(*graph, input);
        for (size_t i = 0; i < kBuffers; ++i)
            starts_[i] = memories_[i]->resize(input.sizes[i]);
        std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
            ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true}),
            ggml_free);
        ggml_cgraph* const built = build(context.get(), *graph);
        fill(*graph);
        for (int i = 0; i < ggml_graph_n_nodes(built); ++i)
            if (!ggml_backend_dev_supports_op(device_, ggml_graph_node(built, i)))
                return "not supported";
        // A new one has no work memory yet that might be larger than this graph needs.
        const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend(
            ggml_backend_dev_init(device_, nullptr), ggml_backend_free);
        set_threads(backend.get());
        ggml_backend_graph_compute(backend.get(), built);
        return "computed";
    }

 private:
    // To what the tensors take, so that whoever leaves the last one leaves the buffer.
    void shrink(const validate::ValidGraph& graph, GraphInput& input) {
        auto declared = std::exchange(input.sizes, {});
        const auto reach = [&](const validate::ValidTensor& tensor, uint64_t end) {
            uint32_t& size = input.sizes[tensor.place->buffer.index];
            size = std::max(size, static_cast<uint32_t>(end));
        };
        for (const validate::ValidGraphTensor& entry : graph.tensors)
            if (const auto& place = entry.tensor.place)
                reach(entry.tensor, place->offset + entry.tensor.extent);
        // ROPE's factors may be fewer than what is read of their buffer.
        for (const validate::ValidGraphTensor& entry : graph.tensors)
            if (entry.sources[kRopeFactors] && is_rope(entry.tensor))
                if (const auto& factors = graph.tensors[*entry.sources[kRopeFactors]].tensor;
                    factors.place)
                    reach(factors, declared[factors.place->buffer.index]);
    }

    bool is_rope(const validate::ValidTensor& tensor) {
        const std::string& name = vocabulary_.rules(tensor.op).name;
        return name == "ROPE" || name == "ROPE_BACK";
    }

    ggml_cgraph* build(ggml_context* context, const validate::ValidGraph& graph) {
        tensors_.clear();
        ggml_cgraph* const built = ggml_new_graph(context);
        for (const validate::ValidGraphTensor& valid : graph.tensors) {
            const validate::ValidTensor& tensor = valid.tensor;
            ggml_tensor* const made =
                ggml_new_tensor(context, static_cast<ggml_type>(tensor.type), 4, tensor.ne.data());
            std::copy(tensor.nb.begin(), tensor.nb.end(), made->nb);
            made->op = op_of(vocabulary_.rules(tensor.op).name);
            std::memcpy(made->op_params, tensor.op_params.data(), sizeof made->op_params);
            made->flags = static_cast<int32_t>(tensor.flags);
            if (tensor.place) {
                made->buffer = buffers_[tensor.place->buffer.index];
                made->data = starts_[tensor.place->buffer.index] + tensor.place->offset;
            }
            for (size_t i = 0; i < valid.sources.size(); ++i)
                made->src[i] = valid.sources[i] ? tensors_[*valid.sources[i]] : nullptr;
            if (valid.view_source) {
                made->view_src = tensors_[*valid.view_source];
                made->view_offs = valid.view_offset;
            }
            tensors_.push_back(made);
            if (validate::is_computed(valid))
                ggml_graph_add_node(built, made);
        }
        return built;
    }

    // Numbers that no kernel asserts about, and indices that name what is there.
    void fill(const validate::ValidGraph& graph) {
        for (size_t i = 0; i < graph.tensors.size(); ++i)
            fill_leaf(*tensors_[i], 1);
        for (const validate::IndexUse& use : validate::find_indices(vocabulary_, graph))
            fill_leaf(*tensors_[use.tensor], use.bound);
    }

    static void fill_leaf(ggml_tensor& tensor, int64_t bound) {
        if (tensor.data == nullptr || ggml_is_empty(&tensor) || tensor.op != GGML_OP_NONE)
            return;
        // With strides of 0 any number of them lies in a few bytes, and filling takes minutes.
        if (static_cast<size_t>(ggml_nelements(&tensor)) > kLargestInput)
            return;
        int64_t next = 0;
        for (int64_t i3 = 0; i3 < tensor.ne[3]; ++i3)
            for (int64_t i2 = 0; i2 < tensor.ne[2]; ++i2)
                for (int64_t i1 = 0; i1 < tensor.ne[1]; ++i1)
                    fill_row(tensor,
                             static_cast<std::byte*>(tensor.data) +
                                 static_cast<size_t>(i1) * tensor.nb[1] +
                                 static_cast<size_t>(i2) * tensor.nb[2] +
                                 static_cast<size_t>(i3) * tensor.nb[3],
                             bound, next);
    }

    static void fill_row(const ggml_tensor& tensor, std::byte* row, int64_t bound, int64_t& next) {
        const int64_t blocks = tensor.ne[0] / ggml_blck_size(tensor.type);
        const size_t size = ggml_type_size(tensor.type);
        for (int64_t i = 0; i < blocks; ++i) {
            std::byte* const at = row + static_cast<size_t>(i) * tensor.nb[0];
            const int64_t index = bound > 0 ? next++ % bound : 0;
            const float number = 0.5F + 0.01F * static_cast<float>(i % 32);
            const auto half = ggml_fp32_to_fp16(number);
            const auto brain = ggml_fp32_to_bf16(number);
            if (tensor.type == GGML_TYPE_F32)
                std::memcpy(at, &number, size);
            else if (tensor.type == GGML_TYPE_F16)
                std::memcpy(at, &half, size);
            else if (tensor.type == GGML_TYPE_BF16)
                std::memcpy(at, &brain, size);
            else if (tensor.type == GGML_TYPE_I32 || tensor.type == GGML_TYPE_I64)
                std::memcpy(at, &index, size);
            else
                std::memset(at, 0x11, size);
        }
    }

    // Mostly one: kernels divide what they need by the threads, which is to be seen as well.
    void set_threads(ggml_backend_t backend) {
        static const auto set =
            reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
                ggml_backend_dev_backend_reg(device_), "ggml_backend_set_n_threads"));
        set(backend, ++runs_ % 8 == 0 ? 3 : 1);
    }

    validate::Vocabulary vocabulary_;
    ggml_backend_dev_t device_ = nullptr;
    std::array<std::unique_ptr<GuardedMemory>, kBuffers> memories_;
    std::array<ggml_backend_buffer_t, kBuffers> buffers_{};
    std::array<std::byte*, kBuffers> starts_{};
    std::vector<ggml_tensor*> tensors_;
    uint64_t runs_ = 0;
};

int serve(OperationRunner& runner) {
    std::vector<std::byte> bytes(kLargestInput);
    char answer = 'y';
    while (::send(kSocket, &answer, 1, MSG_NOSIGNAL) == 1) {
        const ssize_t size = ::recv(kSocket, bytes.data(), bytes.size(), 0);
        if (size <= 0)
            return 0;
        ::setitimer(ITIMER_PROF, &kLongest, nullptr);
        if (const auto input = decode_input(std::span(bytes).first(static_cast<size_t>(size))))
            runner.run(*input);
    }
    return 0;
}

int show(OperationRunner& runner, const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    const auto input = decode_input(std::as_bytes(std::span(bytes)));
    if (!input)
        return 1;
    for (const protocol::GraphTensor& entry : input->graph.tensors) {
        const protocol::Tensor& tensor = entry.tensor;
        const auto table = validate::op_table();
        std::printf("%.*s type %u ne",
                    static_cast<int>(table[tensor.op % table.size()].name.size()),
                    table[tensor.op % table.size()].name.data(), tensor.type);
        for (const int64_t ne : tensor.ne)
            std::printf(" %lld", static_cast<long long>(ne));
        std::printf(" nb");
        for (const uint64_t nb : tensor.nb)
            std::printf(" %llu", static_cast<unsigned long long>(nb));
        std::printf(" buffer %u+%llu of %u parameters", tensor.buffer.index,
                    static_cast<unsigned long long>(tensor.data_offset),
                    input->sizes[tensor.buffer.index % kBuffers]);
        for (const int32_t word : tensor.op_params)
            std::printf(" %d", word);
        std::printf(" sources");
        for (const uint32_t source : entry.source)
            std::printf(" %u", source);
        std::printf("\n");
    }
    std::fflush(stdout);
    std::printf("%s\n", runner.run(*input).c_str());
    return 0;
}

}  // namespace
}  // namespace virtgpu::fuzz

int main(int argc, char** argv) {
    virtgpu::fuzz::OperationRunner runner;
    return argc > 1 ? virtgpu::fuzz::show(runner, argv[1]) : virtgpu::fuzz::serve(runner);
}
