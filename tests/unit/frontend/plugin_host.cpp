#include "tests/unit/frontend/plugin_host.h"

#include <ggml.h>

#include <cstring>

namespace virtgpu::test {

using protocol::Command;

int PluginHost::count(Command command) const {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(command);
    return found == requests_.end() ? 0 : static_cast<int>(found->second.size());
}

protocol::Graph PluginHost::graph() const {
    const std::lock_guard lock(mutex_);
    return graph_;
}

std::set<uint32_t> PluginHost::graph_regions() const {
    const std::lock_guard lock(mutex_);
    return graph_regions_;
}

std::span<std::byte> PluginHost::memory(uint32_t index) {
    const std::lock_guard lock(mutex_);
    return buffers_.at(index).bytes;
}

void PluginHost::compute_by(std::function<void()> compute) {
    const std::lock_guard lock(mutex_);
    compute_ = std::move(compute);
}

void PluginHost::order_by(std::function<RingAnswer(const protocol::Graph&)> order) {
    const std::lock_guard lock(mutex_);
    order_ = std::move(order);
}

RingAnswer PluginHost::serve(Command command, std::span<const std::byte> payload) {
    const std::lock_guard lock(mutex_);
    requests_[command].emplace_back(payload.begin(), payload.end());
    return protocol::is_queued(command) ? carry_out(command, payload) : answer(command, payload);
}

RingAnswer PluginHost::answer(Command command, std::span<const std::byte> payload) {
    switch (command) {
        case Command::kHello:
            return hello(decoded<protocol::HelloRequest>(payload));
        case Command::kGetDeviceMemory:
            return ok(protocol::GetDeviceMemoryReply{kDeviceBytes / 2, kDeviceBytes});
        case Command::kSupportsOp:
            return ok(protocol::SupportsOpReply{
                decoded<protocol::SupportsOpRequest>(payload).tensors.back().tensor.op ==
                static_cast<uint32_t>(GGML_OP_ADD)});
        case Command::kOffloadsOp:
            return ok(protocol::OffloadsOpReply{true});
        case Command::kGetAllocSize:
            return ok(protocol::GetAllocSizeReply{100000});
        case Command::kAllocBuffer:
            return allocate(decoded<protocol::AllocBufferRequest>(payload));
        case Command::kShareBuffer:
            return share(decoded<protocol::ShareBufferRequest>(payload));
        case Command::kOptimizeGraph:
            return order(decoded<protocol::OptimizeGraphRequest>(payload));
        case Command::kOpenStream:
            return ok(protocol::OpenStreamReply{settings_.reorders_graphs});
        default:
            return {};
    }
}

RingAnswer PluginHost::carry_out(Command command, std::span<const std::byte> payload) {
    switch (command) {
        case Command::kFreeBuffer:
            buffers_.erase(decoded<protocol::FreeBufferRequest>(payload).buffer.index);
            return {};
        case Command::kClearBuffer:
            clear(decoded<protocol::ClearBufferRequest>(payload));
            return {};
        case Command::kMemsetTensor:
            memset_tensor(decoded<protocol::MemsetTensorRequest>(payload));
            return {};
        case Command::kSetTensor:
            return set_tensor(decoded<protocol::SetTensorRequest>(payload));
        case Command::kGetTensor:
            return get_tensor(decoded<protocol::GetTensorRequest>(payload));
        case Command::kCopyTensor:
            copy_tensor(decoded<protocol::CopyTensorRequest>(payload));
            return {};
        case Command::kDefineGraph:
            read_graph(decoded<protocol::DefineGraphRequest>(payload).encoded);
            return {};
        case Command::kRunGraph:
            if (refuses_graphs)
                return refused("no such graph");
            compute_();
            return {};
        default:
            return {};
    }
}

RingAnswer PluginHost::hello(const protocol::HelloRequest& request) const {
    EXPECT_EQ(request.ops.size(), static_cast<size_t>(GGML_OP_COUNT));
    EXPECT_EQ(request.ops[GGML_OP_MUL_MAT].name, "MUL_MAT");
    EXPECT_FALSE(request.types.empty());
    protocol::HelloReply reply;
    protocol::DeviceInfo device;
    device.name = "CPU";
    device.description = "Some CPU";
    device.type = protocol::DeviceType::kCpu;
    device.buffer_type = {"CPU", settings_.alignment, kDeviceBytes};
    device.shares_memory = settings_.shares_memory;
    device.copies_weights = settings_.copies_weights;
    device.features = settings_.features;
    reply.devices = {device, device};
    reply.devices[1].type = protocol::DeviceType::kMeta;
    reply.max_graphs = 8;
    reply.max_tensors = protocol::kMaxGraphTensors;
    return ok(reply);
}

protocol::Handle PluginHost::add(Buffer buffer) {
    if (!buffer.shared)
        buffer.bytes = buffer.own;
    const protocol::Handle handle{next_buffer_++, 1};
    buffers_[handle.index] = std::move(buffer);
    return handle;
}

RingAnswer PluginHost::allocate(const protocol::AllocBufferRequest& request) {
    if (request.size > kDeviceBytes)
        return refused("too large");
    return ok(protocol::AllocBufferReply{
        add({std::vector<std::byte>(request.size), nullptr, std::span<std::byte>()})});
}

RingAnswer PluginHost::share(const protocol::ShareBufferRequest& request) {
    EXPECT_TRUE(settings_.shares_memory);
    if (refuses_to_share)
        return refused("not shared");
    const auto region = fake.region(request.memory.region);
    const auto bulk = region->bulk(request.memory.offset, request.memory.size);
    EXPECT_TRUE(bulk) << bulk.error().message();
    return ok(protocol::ShareBufferReply{add({{}, region, {bulk->data(), bulk->size()}})});
}

std::span<std::byte> PluginHost::bytes(const protocol::TensorData& tensor, uint64_t offset,
                                       uint64_t size) {
    const std::span<std::byte> all = buffers_.at(tensor.buffer.index).bytes;
    EXPECT_LE(tensor.data_offset + offset + size, all.size());
    return all.subspan(tensor.data_offset + offset, size);
}

void PluginHost::clear(const protocol::ClearBufferRequest& request) {
    const std::span<std::byte> all = buffers_.at(request.buffer.index).bytes;
    std::memset(all.data(), static_cast<int>(request.value), all.size());
}

void PluginHost::memset_tensor(const protocol::MemsetTensorRequest& request) {
    const auto part = bytes(request.tensor, request.offset, request.size);
    std::memset(part.data(), static_cast<int>(request.value), part.size());
}

RingAnswer PluginHost::set_tensor(const protocol::SetTensorRequest& request) {
    if (!buffers_.contains(request.tensor.buffer.index))
        return refused("no such buffer");
    EXPECT_TRUE(fake.region(request.data.region)
                    ->copy_out(request.data.offset,
                               bytes(request.tensor, request.offset, request.data.size)));
    return {};
}

RingAnswer PluginHost::get_tensor(const protocol::GetTensorRequest& request) {
    if (!buffers_.contains(request.tensor.buffer.index))
        return refused("no such buffer");
    EXPECT_TRUE(fake.region(request.data.region)
                    ->copy_in(request.data.offset,
                              bytes(request.tensor, request.offset, request.data.size)));
    return {};
}

void PluginHost::copy_tensor(const protocol::CopyTensorRequest& request) {
    const uint64_t size = request.source.nb[3] * static_cast<uint64_t>(request.source.ne[3]);
    const auto from = bytes(request.source, 0, size);
    std::memcpy(bytes(request.destination, 0, size).data(), from.data(), from.size());
}

void PluginHost::read_graph(const protocol::RegionSpan& encoded) {
    graph_regions_.insert(encoded.region);
    std::vector<std::byte> bytes(encoded.size);
    EXPECT_TRUE(fake.region(encoded.region)->copy_out(encoded.offset, bytes));
    graph_ = decoded<protocol::Graph>(bytes);
}

RingAnswer PluginHost::order(const protocol::OptimizeGraphRequest& request) {
    read_graph(request.encoded);
    return order_ ? order_(graph_) : ok(protocol::OptimizeGraphReply{graph_.nodes, {}});
}

}  // namespace virtgpu::test
