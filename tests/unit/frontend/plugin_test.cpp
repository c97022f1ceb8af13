// The plug-in's tables, called through libggml's public functions as an application does.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <numeric>
#include <set>

#include "frontend/plugin/buffer_table.h"
#include "frontend/plugin/registry.h"
#include "frontend/vocabulary.h"
#include "tests/unit/frontend/fake_host.h"

namespace virtgpu::frontend {
namespace {

using protocol::Command;
using test::RingAnswer;

constexpr uint64_t kDeviceBytes = 64 << 20;

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};
struct BufferDeleter {
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
};
struct BackendDeleter {
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
};
using GgmlContext = std::unique_ptr<ggml_context, ContextDeleter>;
using GgmlBuffer = std::unique_ptr<ggml_backend_buffer, BufferDeleter>;
using GgmlBackend = std::unique_ptr<ggml_backend, BackendDeleter>;

template <typename T>
T decoded(std::span<const std::byte> payload) {
    auto value = wire::decode_whole<T>(payload);
    EXPECT_TRUE(value) << value.error().message();
    return std::move(*value);
}

class PluginTest : public testing::Test {
 protected:
    PluginTest() {
        auto connection = Connection::open(host_.make_transport(), log_);
        EXPECT_TRUE(connection) << connection.error().message();
        registry_.add(std::move(*connection));
        device_ = registry_.device(0);
    }

    RingAnswer serve(Command command, std::span<const std::byte> payload) {
        ++counts_[command];
        switch (command) {
            case Command::kHello:
                return hello(decoded<protocol::HelloRequest>(payload));
            case Command::kGetDeviceMemory:
                return test::ok(protocol::GetDeviceMemoryReply{kDeviceBytes / 2, kDeviceBytes});
            case Command::kSupportsOp:
                return supports(decoded<protocol::SupportsOpRequest>(payload));
            case Command::kOffloadsOp:
                return test::ok(protocol::OffloadsOpReply{true});
            case Command::kGetAllocSize:
                return test::ok(protocol::GetAllocSizeReply{100000});
            case Command::kAllocBuffer:
                return allocate(decoded<protocol::AllocBufferRequest>(payload));
            case Command::kSetTensor:
                return set_tensor(decoded<protocol::SetTensorRequest>(payload));
            case Command::kGetTensor:
                return get_tensor(decoded<protocol::GetTensorRequest>(payload));
            case Command::kSetBufferUsage:
                usage_ = decoded<protocol::SetBufferUsageRequest>(payload).usage;
                return {};
            case Command::kDefineGraph:
                return define(decoded<protocol::DefineGraphRequest>(payload));
            case Command::kOpenStream:
                return test::ok(protocol::OpenStreamReply{false});
            default:
                return {};
        }
    }

    static RingAnswer hello(const protocol::HelloRequest& request) {
        EXPECT_EQ(request.ops.size(), static_cast<size_t>(GGML_OP_COUNT));
        EXPECT_EQ(request.ops[GGML_OP_MUL_MAT].name, "MUL_MAT");
        EXPECT_FALSE(request.types.empty());
        protocol::HelloReply reply;
        protocol::DeviceInfo device;
        device.name = "CPU";
        device.description = "Some CPU";
        device.type = protocol::DeviceType::kCpu;
        device.buffer_type = {"CPU", 64, kDeviceBytes};
        reply.devices = {device, device};
        reply.devices[1].type = protocol::DeviceType::kMeta;
        reply.max_graphs = 8;
        reply.max_tensors = protocol::kMaxGraphTensors;
        return test::ok(reply);
    }

    RingAnswer supports(const protocol::SupportsOpRequest& request) {
        asked_.push_back(request);
        return test::ok(protocol::SupportsOpReply{request.tensors.back().tensor.op ==
                                                  static_cast<uint32_t>(GGML_OP_ADD)});
    }

    RingAnswer allocate(const protocol::AllocBufferRequest& request) {
        if (request.size > kDeviceBytes)
            return test::refused("too large");
        memory_.resize(request.size);
        return test::ok(protocol::AllocBufferReply{{0, 1}});
    }

    RingAnswer set_tensor(const protocol::SetTensorRequest& request) {
        EXPECT_TRUE(host_.region(request.data.region)
                        ->copy_out(request.data.offset,
                                   bytes(request.tensor, request.offset, request.data.size)));
        return {};
    }

    RingAnswer get_tensor(const protocol::GetTensorRequest& request) {
        EXPECT_TRUE(host_.region(request.data.region)
                        ->copy_in(request.data.offset,
                                  bytes(request.tensor, request.offset, request.data.size)));
        return {};
    }

    RingAnswer define(const protocol::DefineGraphRequest& request) {
        graph_regions_.insert(request.encoded.region);
        std::vector<std::byte> encoded(request.encoded.size);
        EXPECT_TRUE(
            host_.region(request.encoded.region)->copy_out(request.encoded.offset, encoded));
        graph_ = decoded<protocol::Graph>(encoded);
        return {};
    }

    std::span<std::byte> bytes(const protocol::TensorData& tensor, uint64_t offset, uint64_t size) {
        EXPECT_LE(tensor.data_offset + offset + size, memory_.size());
        return std::span(memory_).subspan(tensor.data_offset + offset, size);
    }

    test::RecordingLog log_;
    std::map<Command, int> counts_;
    std::vector<protocol::SupportsOpRequest> asked_;
    std::vector<std::byte> memory_;
    uint32_t usage_ = 0;
    protocol::Graph graph_;
    std::set<uint32_t> graph_regions_;
    test::FakeHost host_{[this](Command command, std::span<const std::byte> payload) {
        return serve(command, payload);
    }};
    Registry registry_{ggml_private::PluginAbi::kVersion3, {}, log_};
    ggml_backend_dev_t device_ = nullptr;
    GgmlContext context_{ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
};

TEST_F(PluginTest, DescribesItsDevices) {
    EXPECT_EQ(registry_.device_count(), 2U);
    EXPECT_EQ(registry_.device(2), nullptr);
    EXPECT_STREQ(ggml_backend_dev_name(registry_.device(1)), "virtgpu1");
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device_, &props);
    EXPECT_STREQ(props.name, "virtgpu0");
    EXPECT_EQ(props.type, GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_EQ(props.memory_free, kDeviceBytes / 2);
    EXPECT_THAT(props.device_id, testing::StartsWith("virtgpu:"));
    EXPECT_FALSE(props.caps.buffer_from_host_ptr);
    EXPECT_TRUE(props.caps.mmap_support);
    EXPECT_EQ(ggml_backend_dev_type(registry_.device(1)), GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_FALSE(ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(device_)));
    EXPECT_EQ(ggml_backend_buft_get_alignment(ggml_backend_dev_buffer_type(device_)), 64U);
}

TEST_F(PluginTest, DataComesBackAlsoWhereItIsLargerThanTheStagingArea) {
    ggml_tensor* const tensor = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 3 << 20);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    std::vector<int32_t> values(3 << 20);
    std::iota(values.begin(), values.end(), 17);
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * 4);
    EXPECT_GE(counts_[Command::kSetTensor], 3);
    std::vector<int32_t> back(values.size());
    ggml_backend_tensor_get(tensor, back.data(), 0, back.size() * 4);
    EXPECT_EQ(values, back);

    int32_t part = 0;
    ggml_backend_tensor_get(tensor, &part, 40, 4);
    EXPECT_EQ(part, 27);
}

TEST_F(PluginTest, NothingIsAllocatedForNothing) {
    const GgmlBuffer buffer(
        ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), 0));
    ASSERT_TRUE(buffer);
    EXPECT_EQ(remote_buffer(buffer.get()), nullptr);

    ggml_tensor* const empty = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, 0);
    ggml_tensor* const other = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, 1);
    const GgmlBuffer real(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(real);
    ggml_backend_tensor_set(empty, nullptr, 0, 0);
    ggml_backend_tensor_get(empty, nullptr, 0, 0);
    EXPECT_NE(other->data, nullptr);
    EXPECT_EQ(counts_[Command::kSetTensor], 0);
}

TEST_F(PluginTest, RefusedAllocationGivesNullAndSaysWhatIsFree) {
    EXPECT_EQ(
        ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), kDeviceBytes + 1),
        nullptr);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("32.0 of 64.0 MiB are free): too large"));
}

TEST_F(PluginTest, HostIsAskedOncePerKindOfNode) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const view = ggml_view_1d(context_.get(), a, 4, 0);
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, a));
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, view));
    EXPECT_EQ(counts_[Command::kSupportsOp], 0);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(ggml_backend_dev_supports_op(device_, ggml_add(context_.get(), a, a)));
        EXPECT_FALSE(ggml_backend_dev_supports_op(device_, ggml_mul(context_.get(), a, a)));
        EXPECT_TRUE(ggml_backend_dev_offload_op(device_, ggml_add(context_.get(), a, a)));
    }
    EXPECT_EQ(counts_[Command::kSupportsOp], 2);
    EXPECT_EQ(counts_[Command::kOffloadsOp], 1);
    EXPECT_EQ(asked_[0].tensors.size(), 2U);
    // The other device has answers of its own.
    EXPECT_TRUE(ggml_backend_dev_supports_op(registry_.device(1), ggml_add(context_.get(), a, a)));
    EXPECT_EQ(counts_[Command::kSupportsOp], 3);
}

// Another thread of the parent may have held any lock at the fork.
TEST_F(PluginTest, ForkedChildDoesNotLookIntoTheMemo) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    const ggml_tensor* const node = ggml_mul(context_.get(), a, a);
    EXPECT_FALSE(ggml_backend_dev_supports_op(device_, node));
    const pid_t child = ::fork();
    if (child == 0)
        // What a lost connection answers; the memo says otherwise.
        ::_exit(ggml_backend_dev_supports_op(device_, node) ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(PluginTest, SizesAreAskedOnlyWhereTheyCanDiffer) {
    const auto type = ggml_backend_dev_buffer_type(device_);
    ggml_tensor* const plain = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, plain), 32U);
    EXPECT_EQ(counts_[Command::kGetAllocSize], 0);
    ggml_tensor* const quantized = ggml_new_tensor_1d(context_.get(), GGML_TYPE_Q8_0, 32);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, quantized), 100000U);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, quantized), 100000U);
    EXPECT_EQ(counts_[Command::kGetAllocSize], 1);
}

TEST_F(PluginTest, ComputesAndTellsTheUsageOfBuffers) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, sum);
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_EQ(usage_, static_cast<uint32_t>(GGML_BACKEND_BUFFER_USAGE_WEIGHTS));
    EXPECT_EQ(counts_[Command::kSetBufferUsage], 1);
    EXPECT_EQ(counts_[Command::kDefineGraph], 1) << "a graph travels once";
    EXPECT_EQ(counts_[Command::kRunGraph], 3);
    EXPECT_EQ(graph_.nodes.size(), 1U);
    EXPECT_EQ(graph_.tensors[graph_.nodes[0]].tensor.buffer, (protocol::Handle{0, 1}));
}

TEST_F(PluginTest, GraphWithDataElsewhereFailsWithAMessage) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, sum);
    alignas(64) std::array<float, 16> here{};
    const GgmlBuffer buffer(ggml_backend_cpu_buffer_from_ptr(here.data(), sizeof here));
    a->buffer = buffer.get();
    a->data = here.data();
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_FAILED);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("not in a buffer of this device"));
    EXPECT_FALSE(counts_.contains(Command::kRunGraph));
}

TEST_F(PluginTest, ViewsOfDataElsewhereAreLeftOutOfTheGraph) {
    ggml_tensor* const elsewhere = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const view = ggml_view_1d(context_.get(), elsewhere, 4, 0);
    ggml_tensor* const reshaped = ggml_reshape_2d(context_.get(), elsewhere, 4, 2);
    alignas(64) std::array<float, 16> here{};
    const GgmlBuffer other(ggml_backend_cpu_buffer_from_ptr(here.data(), sizeof here));
    for (ggml_tensor* tensor : {elsewhere, view, reshaped}) {
        tensor->buffer = other.get();
        tensor->data = here.data();
    }
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    ggml_tensor* const sum_view = ggml_view_1d(context_.get(), sum, 4, 0);
    ggml_tensor* const scaled = ggml_scale(context_.get(), sum_view, 2.0F);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, view);
    ggml_build_forward_expand(graph, sum);
    ggml_build_forward_expand(graph, reshaped);
    ggml_build_forward_expand(graph, scaled);
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);

    // The views of our own data stay, and each count of uses is with its node.
    const auto node = [&](size_t i) { return graph_.tensors.at(graph_.nodes.at(i)); };
    ASSERT_EQ(graph_.nodes.size(), 3U);
    EXPECT_EQ(node(0).tensor.op, static_cast<uint32_t>(GGML_OP_ADD));
    EXPECT_EQ(node(0).use_count, 1);
    EXPECT_EQ(node(1).tensor.op, static_cast<uint32_t>(GGML_OP_VIEW));
    EXPECT_EQ(node(1).use_count, 1);
    EXPECT_EQ(node(2).tensor.op, static_cast<uint32_t>(GGML_OP_SCALE));
    EXPECT_EQ(node(2).use_count, 0);
}

TEST_F(PluginTest, LargeGraphsShareARegion) {
    constexpr size_t kNodes = 12000;
    const GgmlContext context(
        ggml_init({.mem_size = 16 << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_tensor* last = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 8);
    for (size_t i = 0; i < kNodes; ++i)
        last = ggml_scale(context.get(), last, 2.0F);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    ggml_cgraph* const graph = ggml_new_graph_custom(context.get(), 2 * kNodes, false);
    ggml_build_forward_expand(graph, last);
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
        // Another name for each node: too much for an edit.
        for (int node = 0; node < ggml_graph_n_nodes(graph); ++node)
            ggml_set_name(ggml_graph_node(graph, node), std::to_string(i).c_str());
    }
    EXPECT_EQ(counts_[Command::kDefineGraph], 3);
    EXPECT_EQ(graph_.nodes.size(), kNodes);
    EXPECT_EQ(graph_regions_.size(), 1U);
}

TEST_F(PluginTest, AsynchronousTransfersWaitOnce) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    ggml_tensor* const b = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);
    std::array<int32_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_set_async(backend.get(), a, values.data(), 0, sizeof values);
    values.fill(9);  // its bytes were taken
    ggml_backend_tensor_set_async(backend.get(), b, values.data(), 0, sizeof values);
    std::array<int32_t, 8> first{};
    std::array<int32_t, 8> second{};
    ggml_backend_tensor_get_async(backend.get(), a, first.data(), 0, sizeof first);
    ggml_backend_tensor_get_async(backend.get(), b, second.data(), 0, sizeof second);
    ggml_backend_synchronize(backend.get());
    EXPECT_THAT(first, testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
    EXPECT_THAT(second, testing::Each(9));
}

TEST_F(PluginTest, WhatWasAskedForIsZeroWhenTheHostIsLost) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 8);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(buffer && backend);
    host_.serves_rings = false;
    host_.state = protocol::ContextState::kLost;
    std::array<int32_t, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_get_async(backend.get(), a, values.data(), 0, sizeof values);
    ggml_backend_synchronize(backend.get());
    EXPECT_THAT(values, testing::Each(0));
}

TEST_F(PluginTest, StreamsComeAndGo) {
    for (int i = 0; i < 200; ++i) {
        const GgmlBackend one(ggml_backend_dev_init(device_, nullptr));
        const GgmlBackend two(ggml_backend_dev_init(device_, nullptr));
        ASSERT_TRUE(one && two);
    }
    std::vector<GgmlBackend> many;
    while (ggml_backend_t backend = ggml_backend_dev_init(device_, nullptr))
        many.emplace_back(backend);
    EXPECT_EQ(many.size(), protocol::kMaxRings - 1);
}

TEST_F(PluginTest, LostHostFailsEverythingAndAbortsNothing) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    const GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
        context_.get(), ggml_backend_dev_buffer_type(device_)));
    ASSERT_TRUE(buffer);
    ggml_cgraph* const graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, sum);
    const GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
    ASSERT_TRUE(backend);

    host_.serves_rings = false;
    host_.state = protocol::ContextState::kLost;
    // Queued, so nothing is known yet; the wait finds out, and the next computation says so.
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_FAILED);
    std::array<float, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_set(a, values.data(), 0, sizeof values);
    ggml_backend_tensor_get(a, values.data(), 0, sizeof values);
    EXPECT_THAT(values, testing::Each(0.0F));
    EXPECT_EQ(ggml_backend_dev_init(device_, nullptr), nullptr);
    EXPECT_EQ(ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), 10), nullptr);
    // "No" would make ggml's scheduler abort.
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, ggml_mul(context_.get(), a, a)));
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("compute worker died"));
}

// What ggml 0.25 would read.
TEST_F(PluginTest, OlderGgmlGetsItsOwnLayout) {
    Registry registry(ggml_private::PluginAbi::kVersion2, {}, log_);
    auto connection = Connection::open(host_.make_transport(), log_);
    ASSERT_TRUE(connection);
    registry.add(std::move(*connection));
    EXPECT_EQ(registry.get()->api_version, 2);
    const ggml_backend_dev_t device = registry.device(0);
    const auto* const type =
        reinterpret_cast<ggml_backend_buffer_type_v2*>(device->iface.get_buffer_type(device));
    EXPECT_EQ(type->device, device);
    EXPECT_STREQ(type->iface.get_name(device->iface.get_buffer_type(device)), "virtgpu0");
    EXPECT_EQ(type->iface.get_alignment(device->iface.get_buffer_type(device)), 64U);
    EXPECT_EQ(type->iface.get_max_size(device->iface.get_buffer_type(device)), kDeviceBytes);
    EXPECT_FALSE(type->iface.is_host(device->iface.get_buffer_type(device)));
}

// Values that ggml's allocator asserts.
TEST(ConnectionTest, DevicesThatGgmlWouldAbortOnAreRefused) {
    for (const auto& [alignment, max_size] : std::vector<std::pair<uint64_t, uint64_t>>{
             {0, kDeviceBytes}, {48, kDeviceBytes}, {uint64_t{1} << 40, kDeviceBytes}, {64, 0}}) {
        test::RecordingLog log;
        protocol::DeviceInfo device;
        device.name = "odd";
        device.buffer_type = {"odd", alignment, max_size};
        protocol::HelloReply reply;
        reply.devices = {device};
        test::FakeHost host([&](Command, std::span<const std::byte>) { return test::ok(reply); });
        const auto connection = Connection::open(host.make_transport(), log);
        ASSERT_FALSE(connection) << alignment << ", " << max_size;
        EXPECT_THAT(connection.error().message(), testing::HasSubstr("odd"));
    }
}

TEST(ConnectionTest, HostWithoutWorkerSaysWhy) {
    test::RecordingLog log;
    test::FakeHost host([](Command, std::span<const std::byte>) { return RingAnswer{}; });
    host.load_code = 4;
    const auto connection = Connection::open(host.make_transport(), log);
    ASSERT_FALSE(connection);
    EXPECT_THAT(connection.error().message(), testing::HasSubstr("the log of ggml-virtgpu-host"));
}

}  // namespace
}  // namespace virtgpu::frontend
