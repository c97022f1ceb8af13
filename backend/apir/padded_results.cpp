#include "backend/apir/padded_results.h"

#include <algorithm>

#include "backend/graph_builder.h"

namespace virtgpu::backend {

namespace {

// The most that a tensor of few elements wants beyond its bytes, over all types.
uint64_t most_behind_rows(ggml_backend_buffer_type_t type, const validate::HostVocabulary& host) {
    uint64_t most = 0;
    for (size_t number = 0; number < host.types.size(); ++number) {
        if (host.types[number].block_size == 0)
            continue;
        ggml_context* const context = ggml_init(
            {.mem_size = ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true});
        const ggml_tensor* const row = ggml_new_tensor_1d(context, static_cast<ggml_type>(number),
                                                          host.types[number].block_size);
        most = std::max<uint64_t>(most,
                                  ggml_backend_buft_get_alloc_size(type, row) - ggml_nbytes(row));
        ggml_free(context);
    }
    return most;
}

// `tensor` as it is computed elsewhere, and the copy of that which takes its place.
struct Detour {
    protocol::GraphTensor computed;
    protocol::GraphTensor copied;
};

Detour detour_of(const protocol::GraphTensor& tensor, protocol::Handle room) {
    Detour detour{tensor, tensor};
    detour.computed.tensor.buffer = room;
    detour.computed.tensor.data_offset = 0;
    detour.computed.use_count = 1;
    detour.copied.tensor.op = GGML_OP_DUP;
    detour.copied.tensor.op_params = {};
    detour.copied.source = {};
    return detour;
}

}  // namespace

PaddedResults::PaddedResults(Session& session, ggml_backend_dev_t device)
    : session_(session),
      device_(device),
      behind_buffers_(most_behind_rows(ggml_backend_dev_buffer_type(device),
                                       *session.catalogue().vocabulary())) {}

PaddedResults::~PaddedResults() {
    for (const protocol::Handle buffer : rooms_)
        static_cast<void>(session_.buffers().remove(buffer));
}

Result<protocol::Handle> PaddedResults::room(uint64_t bytes) {
    if (bytes <= largest_)
        return rooms_.back();
    // Twice as large as the last, so that all together are not much more than the largest.
    uint64_t size = std::max(bytes, 2 * largest_);
    auto buffer = Buffer::allocate(device_, size, session_.memory());
    if (!buffer && size > bytes)
        buffer = Buffer::allocate(device_, size = bytes, session_.memory());
    rooms_.push_back(TRY(session_.buffers().add(TRY(std::move(buffer)))));
    largest_ = size;
    return rooms_.back();
}

Result<std::vector<uint64_t>> PaddedResults::wanted(const protocol::Graph& graph) {
    const auto vocabulary = TRY(session_.vocabulary());
    HeldBuffers buffers(session_);
    const validate::TensorValidator validator(*vocabulary, buffers);
    const auto valid = TRY(validate::check_unplaced_graph(validator, graph));
    GraphBuilder builder;
    TRY(builder.build_graph(valid, buffers));
    ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(device_);
    std::vector<uint64_t> wanted(graph.tensors.size());
    for (const uint32_t node : graph.nodes) {
        const ggml_tensor* const tensor = builder.tensor(node);
        const uint64_t size = ggml_backend_buft_get_alloc_size(type, tensor);
        if (tensor->view_src == nullptr && valid.tensors[node].tensor.extent != 0 &&
            size > ggml_nbytes(tensor))
            wanted[node] = size;
    }
    return wanted;
}

Result<void> PaddedResults::give_room(protocol::Graph& graph) {
    const std::vector<uint64_t> wanted = TRY(this->wanted(graph));
    const uint64_t most = wanted.empty() ? 0 : *std::max_element(wanted.begin(), wanted.end());
    if (most == 0)
        return {};
    const protocol::Handle place = TRY(room(most));
    protocol::Graph result;
    std::vector<uint32_t> references(graph.tensors.size() + 1);  // from old ones to new ones
    auto node = graph.nodes.begin();
    for (uint32_t i = 0; i < graph.tensors.size(); ++i) {
        protocol::GraphTensor tensor = graph.tensors[i];
        for (uint32_t& source : tensor.source)
            source = references[source];
        tensor.view_source = references[tensor.view_source];
        const bool is_node = node != graph.nodes.end() && *node == i;
        if (is_node)
            ++node;
        if (wanted[i] != 0) {
            const Detour detour = detour_of(tensor, place);
            result.nodes.push_back(static_cast<uint32_t>(result.tensors.size()));
            result.tensors.push_back(detour.computed);
            tensor = detour.copied;
            tensor.source[0] = static_cast<uint32_t>(result.tensors.size());
        }
        if (is_node)
            result.nodes.push_back(static_cast<uint32_t>(result.tensors.size()));
        result.tensors.push_back(tensor);
        references[i + 1] = static_cast<uint32_t>(result.tensors.size());
    }
    graph = std::move(result);
    return {};
}

}  // namespace virtgpu::backend
