// Writes the first inputs: FOLDER/graphs has one graph for every sample of the tests of operations.
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/fuzz/graph_input.h"
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

void write_graphs(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    int count = 0;
    for (const backend::Sample& sample : backend::all_samples()) {
        ggml_context* const context =
            ggml_init({.mem_size = size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true});
        const ggml_tensor* const node = sample(backend::Maker(context));
        const auto bytes = encode_input(InputMaker().make(node));
        std::ofstream file(folder / (std::to_string(count++) + "-" + ggml_op_name(node->op)),
                           std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        ggml_free(context);
    }
}

}  // namespace
}  // namespace virtgpu::fuzz

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    virtgpu::fuzz::write_graphs(std::filesystem::path(argv[1]) / "graphs");
    return 0;
}
