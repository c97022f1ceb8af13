// A graph with the sizes of the buffers that it lies in, and an edit of it: the input of two
// targets.
#pragma once

#include <optional>
#include <vector>

#include "backend/validate/graph.h"
#include "wire/generated/codec.h"

namespace virtgpu::fuzz {

constexpr size_t kBuffers = 16;
constexpr uint32_t kLargestBuffer = 1U << 20;

struct GraphInput {
    protocol::Graph graph;
    std::array<uint32_t, kBuffers> sizes{};  // bytes; buffer i has the handle {i, 1}
    protocol::GraphEdit edit;
};

inline std::optional<GraphInput> decode_input(std::span<const std::byte> bytes) {
    wire::Reader reader(bytes);
    GraphInput input;
    for (uint32_t& size : input.sizes) {
        const auto number = reader.number<uint32_t>();
        if (!number)
            return std::nullopt;
        size = *number % (kLargestBuffer + 1);
    }
    auto graph = wire::decode<protocol::Graph>(reader);
    if (!graph)
        return std::nullopt;
    input.graph = std::move(*graph);
    if (auto edit = wire::decode<protocol::GraphEdit>(reader))
        input.edit = std::move(*edit);
    return input;
}

inline std::vector<std::byte> encode_input(const GraphInput& input) {
    wire::Writer writer;
    for (const uint32_t size : input.sizes)
        writer.number(size);
    static_cast<void>(encode(writer, input.graph));
    static_cast<void>(encode(writer, input.edit));
    return {writer.bytes().begin(), writer.bytes().end()};
}

class InputBuffers : public validate::BufferSizes {
 public:
    explicit InputBuffers(const GraphInput& input) : input_(input) {}

    wire::Result<uint64_t> size_of(protocol::Handle buffer) override {
        if (buffer.index >= kBuffers || buffer.generation != 1)
            return wire::fail(wire::Fault::kPeer, "no buffer");
        return input_.sizes[buffer.index];
    }

 private:
    const GraphInput& input_;
};

}  // namespace virtgpu::fuzz
