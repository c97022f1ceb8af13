#include <algorithm>
#include <utility>

#include "backend/apir/forward_commands.h"
#include "backend/apir/forward_graph.h"
#include "backend/apir/memory_use.h"
#include "wire/forward_failure.h"

namespace virtgpu::backend {

namespace {

constexpr uint64_t kMaxGraphBytes =
    protocol::kMaxGraphTensors * (protocol::ForwardTensor::kEncodedBytes + sizeof(uint64_t)) +
    2 * sizeof(uint32_t);
// Memory above this is given back when a graph needs less.
constexpr size_t kKeptBytes = size_t{4} << 20;

bool lacks_memory(const protocol::ForwardGraph& graph) {
    return std::any_of(graph.tensors.begin(), graph.tensors.end(), [](const auto& tensor) {
        return tensor.buffer == wire::kBufferWithoutMemory;
    });
}

// The same graph with its nodes in `order`, behind all that are no nodes; nothing where one of
// those refers to a node.
std::optional<protocol::Graph> reordered(const protocol::Graph& graph,
                                         const std::vector<uint32_t>& order) {
    std::vector<uint32_t> positions;
    for (uint32_t i = 0; i < graph.tensors.size(); ++i)
        if (!std::binary_search(graph.nodes.begin(), graph.nodes.end(), i))
            positions.push_back(i);
    const auto first_node = static_cast<uint32_t>(positions.size());
    positions.insert(positions.end(), order.begin(), order.end());

    std::vector<uint32_t> references(graph.tensors.size() + 1);
    protocol::Graph result;
    for (const uint32_t position : positions) {
        protocol::GraphTensor tensor = graph.tensors[position];
        const auto follow = [&references](uint32_t& reference) {
            const bool is_there = reference == 0 || references[reference] != 0;
            reference = references[reference];
            return is_there;
        };
        if (!std::all_of(tensor.source.begin(), tensor.source.end(), follow) ||
            !follow(tensor.view_source))
            return std::nullopt;
        result.tensors.push_back(tensor);
        references[position + 1] = static_cast<uint32_t>(result.tensors.size());
    }
    for (uint32_t i = first_node; i < result.tensors.size(); ++i)
        result.nodes.push_back(i);
    return result;
}

}  // namespace

Result<protocol::ForwardBackendGraphComputeReply> ForwardCommands::DoBackendGraphCompute(
    const protocol::ForwardBackendGraphComputeRequest& request) {
    const auto status = compute(request);
    commands_.finish();
    if (status)
        return protocol::ForwardBackendGraphComputeReply{*status};
    complaints_.add("a graph was not computed", status.error());
    return protocol::ForwardBackendGraphComputeReply{protocol::GraphStatus::kFailed};
}

Result<std::span<const std::byte>> ForwardCommands::copy_graph(
    const protocol::ForwardBackendGraphComputeRequest& request) {
    if (request.size > kMaxGraphBytes)
        return wire::fail(Fault::kPeer, "a graph of {} bytes, the largest has {}", request.size,
                          kMaxGraphBytes);
    const auto region = TRY(session_->region(request.region));
    // The range is checked before memory is taken for it.
    TRY(region->bulk(0, request.size));
    if (encoded_.capacity() > kKeptBytes && request.size <= kKeptBytes)
        encoded_.clear();
    if (encoded_.capacity() < request.size) {
        encoded_.clear();  // else both count while the bytes move
        give_way_to(request.size);
    }
    TRY(encoded_.resize(request.size));
    TRY(region->copy_out(0, encoded_.bytes()));
    return std::span<const std::byte>(encoded_.bytes());
}

Result<protocol::GraphStatus> ForwardCommands::compute(
    const protocol::ForwardBackendGraphComputeRequest& request) {
    if (data_is_missing_)
        return wire::fail(Fault::kRefused, "data that it needs did not arrive");
    const auto encoded = TRY(copy_graph(request));
    if (const auto known = contents_.find(encoded)) {
        TRY(run(*known));
        return protocol::GraphStatus::kSuccess;
    }
    const auto decoded = TRY(wire::decode_whole<protocol::ForwardGraph>(encoded));
    if (lacks_memory(decoded))
        return protocol::GraphStatus::kAllocFailed;
    TRY(run(TRY(known_graph(encoded, decoded))));
    return protocol::GraphStatus::kSuccess;
}

Result<uint32_t> ForwardCommands::known_graph(std::span<const std::byte> encoded,
                                              const protocol::ForwardGraph& decoded) {
    const auto vocabulary = TRY(session_->vocabulary());
    protocol::Graph graph = TRY(graph_of(decoded, *vocabulary));
    TRY(put_into_better_order(graph));
    TRY(padding_.give_room(graph));
    const size_t tensors = graph.tensors.size();
    while (!contents_.has_room(encoded.size(), tensors) && forget_oldest()) {
    }
    give_way_to(encoded.size() + CachedGraph::bytes_of(graph));
    const uint32_t number = next_graph_++;
    TRY(contents_.add(number, encoded, tensors));
    if (const auto defined = TRY(commands_.stream())->define(number, std::move(graph)); !defined) {
        forget(number);
        return tl::unexpected(defined.error());
    }
    return number;
}

// Its memory is given, so what the backend prefers has to leave every result as it is.
Result<void> ForwardCommands::put_into_better_order(protocol::Graph& graph) {
    Stream* const stream = TRY(commands_.stream());
    if (!stream->reorders_graphs())
        return {};
    const auto better = stream->better_order(graph);
    if (!better)
        return {};
    const auto vocabulary = TRY(session_->vocabulary());
    if (TRY(may_reorder(graph, better->nodes, *vocabulary)))
        if (auto result = reordered(graph, better->nodes))
            graph = std::move(*result);
    return {};
}

Result<void> ForwardCommands::run(uint32_t number) {
    const AbortAsked abort = [this] { return stopping_.load(); };
    auto outcome = TRY(commands_.stream())->run(number, abort);
    // One of its buffers was freed, say, and what would follow is the same failure.
    if (!outcome)
        forget(number);
    return outcome;
}

void ForwardCommands::forget(uint32_t number) {
    contents_.remove(number);
    if (const auto stream = commands_.stream())
        static_cast<void>((*stream)->drop(number));
}

bool ForwardCommands::forget_oldest() {
    const auto oldest = contents_.oldest();
    if (oldest)
        forget(*oldest);
    return oldest.has_value();
}

void ForwardCommands::give_way_to(uint64_t bytes) {
    const MemoryAccount& memory = *session_->memory();
    while (bytes <= memory.limit() && memory.left() < bytes && forget_oldest()) {
    }
}

}  // namespace virtgpu::backend
