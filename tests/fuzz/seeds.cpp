// Writes the first inputs: FOLDER/graphs has one graph for every sample of the tests of operations,
// and others like it with strides that lead nowhere; FOLDER/codec every structure, and graphs.
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tests/fuzz/generated/structure_list.h"
#include "tests/fuzz/graph_input.h"
#include "tests/fuzz/graph_mutator.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/vocabulary.h"
#include "tests/unit/backend/native_graph.h"
#include "tests/unit/backend/op_samples.h"

namespace virtgpu::fuzz {
namespace {

uint32_t number_of(const std::string& op) {
    const auto table = validate::op_table();
    for (uint32_t i = 0; i < table.size(); ++i)
        if (table[i].name == op)
            return i;
    require(false, "the operation is in the table");
    return 0;
}

// Each tensor that views none in a buffer of its own.
class InputMaker {
 public:
    GraphInput make(const ggml_tensor* node) {
        add(node);
        for (uint32_t i = 0; i < input_.graph.tensors.size(); ++i)
            if (input_.graph.tensors[i].tensor.op != number_of("NONE"))
                input_.graph.nodes.push_back(i);
        return input_;
    }

 private:
    uint32_t add(const ggml_tensor* tensor) {
        if (const auto known = references_.find(tensor); known != references_.end())
            return known->second;
        protocol::GraphTensor entry;
        for (size_t i = 0; i < GGML_MAX_SRC; ++i)
            if (tensor->src[i] == tensor)
                entry.source[i] = add_twin(tensor);
            else if (tensor->src[i] != nullptr)
                entry.source[i] = add(tensor->src[i]);
        entry.tensor = backend::NativeGraph::describe_alone(tensor);
        entry.tensor.op = number_of(ggml_op_name(tensor->op));
        if (tensor->view_src != nullptr) {
            entry.view_source = add(tensor->view_src);
            entry.view_offset = tensor->view_offs;
            entry.tensor.buffer = input_.graph.tensors[entry.view_source - 1].tensor.buffer;
            entry.tensor.data_offset = tensor->view_offs;
        } else {
            entry.tensor.buffer = new_buffer(ggml_nbytes(tensor));
        }
        return references_[tensor] = push(entry);
    }

    // ggml_cast names its result as a source, which travels as a leaf.
    uint32_t add_twin(const ggml_tensor* tensor) {
        protocol::GraphTensor entry;
        entry.tensor = backend::NativeGraph::describe_alone(tensor);
        entry.tensor.op = number_of("NONE");
        entry.tensor.buffer = new_buffer(ggml_nbytes(tensor));
        return push(entry);
    }

    uint32_t push(const protocol::GraphTensor& entry) {
        input_.graph.tensors.push_back(entry);
        return static_cast<uint32_t>(input_.graph.tensors.size());
    }

    protocol::Handle new_buffer(size_t size) {
        require(next_ < kBuffers && size <= kLargestBuffer, "the sample is small");
        input_.sizes[next_] = static_cast<uint32_t>(size);
        return {next_++, 1};
    }

    GraphInput input_;
    std::map<const ggml_tensor*, uint32_t> references_;
    uint32_t next_ = 0;
};

void write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

// As the target `codec` reads it: the structure's number first.
template <typename T>
void write_structure(const std::filesystem::path& path, size_t number, const T& value) {
    wire::Writer writer;
    writer.number(static_cast<uint8_t>(number));
    require(encode(writer, value).has_value(), "a structure can be encoded");
    write(path, writer.bytes());
}

template <size_t... kNumbers>
void write_structures(const std::filesystem::path& folder,
                      std::index_sequence<kNumbers...> /*all*/) {
    (write_structure(folder / std::to_string(kNumbers), kNumbers,
                     std::tuple_element_t<kNumbers, Structures>()),
     ...);
}

template <typename T, size_t... kNumbers>
constexpr size_t number_of_structure(std::index_sequence<kNumbers...> /*all*/) {
    size_t number = 0;
    ((std::is_same_v<T, std::tuple_element_t<kNumbers, Structures>> ? void(number = kNumbers)
                                                                    : void()),
     ...);
    return number;
}

// The sample, and the same with one element in a dimension of all its tensors.
std::vector<GraphInput> with_single_dimensions(const GraphInput& sample) {
    std::vector<GraphInput> inputs(5, sample);
    for (size_t dimension = 0; dimension < 4; ++dimension)
        for (protocol::GraphTensor& entry : inputs[dimension].graph.tensors) {
            entry.tensor.ne[dimension] = 1;
            settle(inputs[dimension], entry.tensor);
        }
    return inputs;
}

bool is_valid(const GraphInput& input) {
    static const validate::Vocabulary vocabulary = make_vocabulary();
    InputBuffers buffers(input);
    return check_graph(validate::TensorValidator(vocabulary, buffers), input.graph).has_value();
}

// Valid ones where a stride leads nowhere, and some leave their tensor when it is followed.
std::set<std::vector<std::byte>> with_odd_strides(const GraphInput& sample) {
    std::set<std::vector<std::byte>> inputs;
    for (const GraphInput& input : with_single_dimensions(sample))
        for (size_t i = 0; i < input.graph.tensors.size(); ++i)
            for (size_t dimension = 0; dimension < 4; ++dimension)
                for (const uint64_t stride : {0U, 1U << 15}) {
                    if (input.graph.tensors[i].tensor.ne[dimension] != 1)
                        continue;
                    GraphInput odd = input;
                    set_unused_stride(odd, odd.graph.tensors[i].tensor, dimension, stride);
                    if (is_valid(odd))
                        inputs.insert(encode_input(odd));
                }
    return inputs;
}

void write_all(const std::filesystem::path& folder) {
    constexpr auto kAll = std::make_index_sequence<std::tuple_size_v<Structures>>();
    for (const char* name : {"graphs", "codec"})
        std::filesystem::create_directories(folder / name);
    write_structures(folder / "codec", kAll);
    std::set<ggml_op> with_odd;
    int count = 0;
    for (const backend::Sample& sample : backend::all_samples()) {
        ggml_context* const context =
            ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true});
        const ggml_tensor* const node = sample(backend::Maker(context));
        const GraphInput input = InputMaker().make(node);
        const std::string name = std::to_string(count++) + "-" + ggml_op_name(node->op);
        write(folder / "graphs" / name, encode_input(input));
        int odd = 0;
        if (with_odd.insert(node->op).second)
            for (const auto& bytes : with_odd_strides(input))
                write(folder / "graphs" / (name + "-" + std::to_string(odd++)), bytes);
        if (count % 10 == 0)
            write_structure(folder / "codec" / name, number_of_structure<protocol::Graph>(kAll),
                            input.graph);
        ggml_free(context);
    }
}

}  // namespace
}  // namespace virtgpu::fuzz

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    virtgpu::fuzz::write_all(argv[1]);
    return 0;
}
