// A context as one hostile guest process sees it: sequences of level 2 commands on ring 0 and on a
// stream, with handles, graphs and regions that are mostly right, on ggml's CPU backend and on a
// device that computes in the background.
#include <fuzzer/FuzzedDataProvider.h>
#include <ggml.h>

#include <cstdlib>
#include <cstring>

#include "backend/commands.h"
#include "tests/fuzz/quiet_log.h"
#include "tests/fuzz/require.h"
#include "tests/unit/backend/background_device.h"

namespace virtgpu::fuzz {
namespace {

using backend::Commands;
using protocol::Command;

constexpr size_t kSteps = 64;
constexpr uint32_t kRegion = 3;
constexpr size_t kRegionBytes = 1 << 16;
constexpr uint64_t kShared = kRegionBytes / 2;  // where shared buffers are
constexpr uint64_t kMemory = 16 << 20;

class HeapRegion : public wire::Region {
 public:
    HeapRegion()
        : Region(static_cast<std::byte*>(std::aligned_alloc(4096, kRegionBytes)), kRegionBytes) {
        std::memset(base(), 0, kRegionBytes);
    }
    ~HeapRegion() override { std::free(base()); }
};

class OneRegion : public backend::Regions {
 public:
    wire::Result<std::shared_ptr<wire::Region>> find(uint32_t number) const override {
        if (number != kRegion)
            return wire::fail(wire::Fault::kPeer, "no region {}", number);
        return region;
    }
    std::shared_ptr<wire::Region> region = std::make_shared<HeapRegion>();
};

// Once for the process, as ggml's registry is.
const backend::Catalogue& catalogue() {
    static QuietLog log;
    static const auto loaded = [] {
        ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
        backend::CatalogueOptions options;
        backend::BackgroundDevice::registered();
        options.backends = {"cpu", backend::BackgroundDevice::kName};
        auto catalogue = backend::Catalogue::load(options, log);
        require(catalogue.has_value() && (*catalogue)->size() == 2,
                "there is a CPU backend in $GGML_VIRTGPU_BACKEND_DIR");
        return std::move(*catalogue);
    }();
    return *loaded;
}

// Of those operations whose outcome no data can spoil; the others are the business of
// operations.cpp. GET_ROWS is among them because its graph is not edited: indices that the graph
// itself writes are not looked at.
protocol::HelloRequest hello() {
    protocol::HelloRequest hello;
    hello.level2_version = protocol::kLevel2Version;
    for (const ggml_op op : {GGML_OP_NONE, GGML_OP_ADD, GGML_OP_MUL, GGML_OP_MUL_MAT, GGML_OP_SCALE,
                             GGML_OP_CPY, GGML_OP_CONT, GGML_OP_RMS_NORM, GGML_OP_VIEW,
                             GGML_OP_SOFT_MAX, GGML_OP_UNARY, GGML_OP_GET_ROWS})
        hello.ops.push_back({static_cast<uint32_t>(op), ggml_op_name(op)});
    for (const ggml_type type :
         {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_I32, GGML_TYPE_I64, GGML_TYPE_I8})
        hello.types.push_back({static_cast<uint32_t>(type), ggml_type_name(type)});
    hello.unary_ops.push_back({GGML_UNARY_OP_RELU, "RELU"});
    return hello;
}

class Guest {
 public:
    Guest(const uint8_t* data, size_t size) : input_(data, size) {}

    void run() {
        if (input_.ConsumeIntegralInRange<int>(0, 15) != 0)
            set_up();
        for (size_t step = 0; step < kSteps && alive_ && input_.remaining_bytes() > 0; ++step)
            take_step();
    }

 private:
    // What a guest does first, and a buffer in which the graphs of sound_graph() fit.
    void set_up() {
        protocol::HelloRequest greeting = hello();
        if (input_.ConsumeIntegralInRange<int>(0, 31) == 0)
            greeting.level2_version = 0;
        send(control_, Command::kHello, greeting);
        device_ = input_.ConsumeIntegralInRange<int>(0, 3) == 0 ? 1 : 0;
        send(stream_, Command::kOpenStream, protocol::OpenStreamRequest{device_});
        if (input_.ConsumeBool())
            alloc(kRoom);
        else
            share(kRoom);
        if (input_.ConsumeBool() && !buffers_.empty())
            send(control_, Command::kSetBufferUsage,
                 protocol::SetBufferUsageRequest{buffers_[0], GGML_BACKEND_BUFFER_USAGE_WEIGHTS});
    }

    void take_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 11)) {
            case 0:
            case 1:
                return alloc(size());
            case 2:
                send(ring(), Command::kFreeBuffer, protocol::FreeBufferRequest{buffer()});
                return;
            case 3:
            case 4:
                return transfer();
            case 5:
            case 6:
                return define();
            case 7:
                return edit();
            case 8:
                return run_graph();
            case 9:
                send(ring_of_stream(), Command::kDropGraph,
                     protocol::DropGraphRequest{graph_number()});
                return;
            case 10:
                return ask();
            default:
                return send_raw();
        }
    }

    template <typename Request>
    std::vector<std::byte> send(Commands& to, Command command, const Request& request) {
        wire::Writer writer;
        require(encode(writer, request).has_value(), "a request can be encoded");
        return send_bytes(to, static_cast<uint32_t>(command),
                          {writer.bytes().begin(), writer.bytes().end()});
    }

    std::vector<std::byte> send_bytes(Commands& to, uint32_t command,
                                      std::vector<std::byte> payload) {
        const backend::StopAsked stops = [this] {
            return ends_ ? backend::Stop::kNow : backend::Stop::kNever;
        };
        const backend::AbortAsked aborts = [this] { return aborts_; };
        wire::Writer reply;
        const auto done = to.carry_out({1, command, 0, std::move(payload)}, reply, stops, aborts);
        if (to.unfinished() && input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            to.finish();
        if (done)
            return {reply.bytes().begin(), reply.bytes().end()};
        require(done.error().fault() != wire::Fault::kSystem, "the host is well");
        // As the ring's server does: the guest is closed.
        alive_ = alive_ && done.error().fault() == wire::Fault::kRefused;
        return {};
    }

    Commands& ring() { return input_.ConsumeBool() ? control_ : stream_; }
    uint32_t graph_number() { return input_.ConsumeIntegralInRange<uint32_t>(0, 3); }
    uint64_t size() {
        constexpr uint64_t kSizes[] = {0, 1, 64, 128, 1024, 4096, 1 << 20, kMemory, UINT64_MAX};
        return input_.ConsumeBool() ? input_.PickValueInArray(kSizes)
                                    : input_.ConsumeIntegralInRange<uint64_t>(0, 8192);
    }

    uint32_t device() {
        return input_.ConsumeIntegralInRange<int>(0, 7) == 0
                   ? input_.ConsumeIntegralInRange<uint32_t>(0, 2)
                   : device_;
    }

    void alloc(uint64_t bytes) {
        const auto reply =
            send(control_, Command::kAllocBuffer, protocol::AllocBufferRequest{device(), bytes});
        if (const auto decoded = wire::decode_whole<protocol::AllocBufferReply>(reply))
            buffers_.push_back(decoded->buffer);
    }

    // Behind what put() writes, mostly.
    void share(uint64_t bytes) {
        const auto reply = send(control_, Command::kShareBuffer,
                                protocol::ShareBufferRequest{device(), span(bytes, kShared)});
        if (const auto decoded = wire::decode_whole<protocol::ShareBufferReply>(reply))
            buffers_.push_back(decoded->buffer);
    }

    void run_graph() {
        aborts_ = input_.ConsumeIntegralInRange<int>(0, 15) == 0;
        ends_ = input_.ConsumeIntegralInRange<int>(0, 15) == 0;
        const uint32_t number =
            input_.ConsumeIntegralInRange<int>(0, 3) == 0 ? kIndexGraph : graph_number();
        send(ring_of_stream(), Command::kRunGraph,
             protocol::RunGraphRequest{number, input_.ConsumeBool()});
        aborts_ = ends_ = false;
    }

    // One that there is, was, or never was.
    protocol::Handle buffer() {
        if (buffers_.empty() || input_.ConsumeIntegralInRange<int>(0, 31) == 0)
            return {input_.ConsumeIntegral<uint8_t>(), input_.ConsumeIntegral<uint8_t>()};
        return buffers_[input_.ConsumeIntegralInRange<size_t>(0, buffers_.size() - 1)];
    }

    protocol::RegionSpan span(uint64_t bytes, uint64_t offset = 0) {
        if (input_.ConsumeIntegralInRange<int>(0, 31) == 0)
            return {input_.ConsumeIntegral<uint8_t>(), input_.ConsumeIntegral<uint64_t>(),
                    input_.ConsumeIntegral<uint64_t>()};
        return {kRegion, offset, bytes};
    }

    template <typename Tensor>
    void lay_out(Tensor& tensor) {
        constexpr uint32_t kTypes[] = {GGML_TYPE_F32,
                                       GGML_TYPE_F32,
                                       GGML_TYPE_F32,
                                       GGML_TYPE_F16,
                                       GGML_TYPE_Q8_0,
                                       GGML_TYPE_I8,
                                       77};
        constexpr int64_t kSizes[] = {1, 2, 4, 8, 32, 64, 0, -1, int64_t{1} << 40};
        tensor.type = input_.PickValueInArray(kTypes);
        tensor.ne = {input_.PickValueInArray(kSizes), input_.PickValueInArray(kSizes), 1, 1};
        const bool blocks = tensor.type == GGML_TYPE_Q8_0;
        const uint64_t element = blocks                         ? 34
                                 : tensor.type == GGML_TYPE_F16 ? 2
                                 : tensor.type == GGML_TYPE_I8  ? 1
                                                                : 4;
        tensor.nb[0] = element;
        tensor.nb[1] = element * static_cast<uint64_t>(tensor.ne[0]) / (blocks ? 32 : 1);
        tensor.nb[2] = tensor.nb[3] = tensor.nb[1] * static_cast<uint64_t>(tensor.ne[1]);
        tensor.buffer = buffer();
        tensor.data_offset = input_.ConsumeIntegralInRange<uint64_t>(0, 8) * 64;
    }

    void transfer() {
        protocol::TensorData tensor;
        lay_out(tensor);
        const uint64_t offset = input_.ConsumeIntegralInRange<uint64_t>(0, 64);
        const uint64_t bytes = input_.ConsumeIntegralInRange<uint64_t>(0, 512);
        // A shared buffer's own bytes, sometimes.
        const uint64_t place = input_.ConsumeIntegralInRange<int>(0, 3) == 0 ? kShared : 0;
        switch (input_.ConsumeIntegralInRange<int>(0, 4)) {
            case 0:
                send(ring(), Command::kSetTensor,
                     protocol::SetTensorRequest{tensor, offset, span(bytes, place)});
                return;
            case 1:
                send(ring(), Command::kGetTensor,
                     protocol::GetTensorRequest{tensor, offset, span(bytes, place)});
                return;
            case 2:
                send(ring(), Command::kMemsetTensor,
                     protocol::MemsetTensorRequest{tensor, offset, bytes, byte()});
                return;
            case 3:
                send(ring(), Command::kClearBuffer, protocol::ClearBufferRequest{buffer(), byte()});
                return;
            default: {
                protocol::TensorData other = tensor;
                if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
                    lay_out(other);
                other.buffer = buffer();
                other.data_offset = input_.ConsumeIntegralInRange<uint64_t>(0, 8) * 64;
                send(ring(), Command::kCopyTensor, protocol::CopyTensorRequest{tensor, other});
            }
        }
    }

    // Or a number that is none.
    uint32_t byte() {
        return input_.ConsumeIntegralInRange<int>(0, 15) == 0 ? 256
                                                              : input_.ConsumeIntegral<uint8_t>();
    }

    protocol::GraphTensor node(size_t position) {
        constexpr uint32_t kOps[] = {GGML_OP_NONE,  GGML_OP_NONE,     GGML_OP_ADD,   GGML_OP_MUL,
                                     GGML_OP_SCALE, GGML_OP_MUL_MAT,  GGML_OP_CPY,   GGML_OP_CONT,
                                     GGML_OP_VIEW,  GGML_OP_RMS_NORM, GGML_OP_UNARY, 99};
        protocol::GraphTensor made;
        lay_out(made.tensor);
        made.tensor.op = input_.PickValueInArray(kOps);
        if (made.tensor.op == GGML_OP_UNARY)
            made.tensor.op_params[0] = GGML_UNARY_OP_RELU;
        for (size_t i = 0; i < 2; ++i)
            made.source[i] = input_.ConsumeIntegralInRange<uint32_t>(
                0, static_cast<uint32_t>(position) + (input_.ConsumeBool() ? 0 : 1));
        if (made.tensor.op == GGML_OP_VIEW) {
            made.view_source = made.source[0];
            made.source[1] = 0;
        }
        return made;
    }

    protocol::Graph graph() {
        if (input_.ConsumeBool())
            return sound_graph();
        protocol::Graph graph;
        const size_t count = input_.ConsumeIntegralInRange<size_t>(0, 6);
        for (size_t i = 0; i < count; ++i) {
            // Most sums are of tensors that are alike.
            graph.tensors.push_back(i > 0 && input_.ConsumeBool() ? graph.tensors.back() : node(i));
            protocol::GraphTensor& last = graph.tensors.back();
            if (input_.ConsumeBool() && i > 1) {
                last.tensor.op = GGML_OP_ADD;
                last.source[0] = 1;
                last.source[1] = static_cast<uint32_t>(i);
            }
            if (last.tensor.op != GGML_OP_NONE)
                graph.nodes.push_back(static_cast<uint32_t>(i));
        }
        return graph;
    }

    // A tensor of a graph in which each lies in a place of its own, all in one buffer.
    protocol::GraphTensor placed(size_t position, ggml_type type, int64_t columns, int64_t rows,
                                 ggml_op op = GGML_OP_NONE) const {
        protocol::GraphTensor made;
        protocol::Tensor& tensor = made.tensor;
        tensor.type = type;
        tensor.op = op;
        tensor.flags = GGML_TENSOR_FLAG_COMPUTE;
        tensor.ne = {columns, rows, 1, 1};
        tensor.nb[0] = ggml_type_size(type);
        tensor.nb[1] = ggml_row_size(type, columns);
        tensor.nb[2] = tensor.nb[3] = tensor.nb[1] * static_cast<uint64_t>(rows);
        tensor.buffer = home_;
        tensor.data_offset = position * kPlace;
        return made;
    }

    // Two leaves and what is computed of them.
    protocol::Graph sound_graph() {
        home_ = buffer();
        const bool quantised = input_.ConsumeBool();
        protocol::Graph graph;
        graph.tensors.push_back(placed(0, quantised ? GGML_TYPE_Q8_0 : GGML_TYPE_F32, 32, 4));
        graph.tensors.push_back(placed(1, GGML_TYPE_F32, 32, 4));
        const size_t count = input_.ConsumeIntegralInRange<size_t>(1, 4);
        for (size_t i = 0; i < count; ++i) {
            graph.nodes.push_back(static_cast<uint32_t>(graph.tensors.size()));
            graph.tensors.push_back(sound_node(graph.tensors.size()));
        }
        return graph;
    }

    protocol::GraphTensor sound_node(size_t position) {
        constexpr ggml_op kOps[] = {
            GGML_OP_ADD,  GGML_OP_MUL,   GGML_OP_SCALE, GGML_OP_RMS_NORM, GGML_OP_SOFT_MAX,
            GGML_OP_CONT, GGML_OP_UNARY, GGML_OP_VIEW,  GGML_OP_MUL_MAT,  GGML_OP_MUL_MAT};
        const ggml_op op = input_.PickValueInArray(kOps);
        auto made = placed(position, GGML_TYPE_F32, op == GGML_OP_MUL_MAT ? 4 : 32, 4, op);
        made.source[0] = op == GGML_OP_MUL_MAT ? 1 : 2;
        // Of what was computed before, sometimes.
        if (op != GGML_OP_MUL_MAT && op != GGML_OP_VIEW && position > 2 && input_.ConsumeBool())
            made.source[0] = static_cast<uint32_t>(position);
        made.use_count = input_.ConsumeIntegralInRange<int32_t>(0, 2);
        if (op == GGML_OP_ADD || op == GGML_OP_MUL || op == GGML_OP_MUL_MAT)
            made.source[1] = 2;
        if (op == GGML_OP_UNARY)
            made.tensor.op_params[0] = GGML_UNARY_OP_RELU;
        if (op == GGML_OP_SCALE || op == GGML_OP_SOFT_MAX)
            made.tensor.op_params[0] = 0x3f800000;  // 1.0
        if (op == GGML_OP_VIEW) {
            made.view_source = made.source[0];
            made.tensor.data_offset = kPlace;
        }
        if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            made.tensor.flags = 0;
        return made;
    }

    // Rows by numbers that SET_TENSOR and MEMSET_TENSOR put there.
    protocol::Graph index_graph() {
        home_ = buffer();
        protocol::Graph graph;
        graph.tensors = {placed(0, GGML_TYPE_F32, 32, 4),
                         placed(1, input_.ConsumeBool() ? GGML_TYPE_I32 : GGML_TYPE_I64,
                                input_.ConsumeIntegralInRange<int64_t>(1, 8), 1)};
        auto rows = placed(2, GGML_TYPE_F32, 32, graph.tensors[1].tensor.ne[0], GGML_OP_GET_ROWS);
        rows.source[0] = 1;
        rows.source[1] = 2;
        if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            rows.tensor.flags = 0;
        graph.tensors.push_back(rows);
        graph.nodes = {2};
        return graph;
    }

    template <typename T>
    protocol::RegionSpan put(const T& value) {
        wire::Writer writer;
        static_cast<void>(encode(writer, value));
        if (!regions_->region->copy_in(0, writer.bytes()))
            return {kRegion, 0, kRegionBytes};
        return span(writer.bytes().size());
    }

    void define() {
        if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            send(stream_, Command::kDefineGraph,
                 protocol::DefineGraphRequest{kIndexGraph, put(index_graph())});
        else
            send(ring_of_stream(), Command::kDefineGraph,
                 protocol::DefineGraphRequest{graph_number(), put(graph())});
    }
    void edit() {
        protocol::GraphEdit edit;
        const size_t count = input_.ConsumeIntegralInRange<size_t>(0, 2);
        for (size_t i = 0; i < count; ++i) {
            const auto position = input_.ConsumeIntegralInRange<uint32_t>(0, 6);
            edit.changes.push_back(
                {position, input_.ConsumeBool() ? sound_node(position) : node(position)});
        }
        send(ring_of_stream(), Command::kEditGraph,
             protocol::EditGraphRequest{graph_number(), put(edit)});
    }
    Commands& ring_of_stream() {
        return input_.ConsumeIntegralInRange<int>(0, 31) == 0 ? control_ : stream_;
    }

    void ask() {
        std::vector<protocol::GraphTensor> tensors = graph().tensors;
        switch (input_.ConsumeIntegralInRange<int>(0, 11)) {
            case 0:
                send(ring(), Command::kSupportsOp, protocol::SupportsOpRequest{device(), tensors});
                return;
            case 1:
                send(ring(), Command::kGetAllocSize,
                     protocol::GetAllocSizeRequest{device(), tensors});
                return;
            case 2:
                send(ring(), Command::kInitTensor, protocol::InitTensorRequest{tensors});
                return;
            case 3:
                send(ring(), Command::kGetDeviceMemory,
                     protocol::GetDeviceMemoryRequest{graph_number()});
                return;
            case 4:
                send(ring(), Command::kSetBufferUsage,
                     protocol::SetBufferUsageRequest{buffer(), graph_number()});
                return;
            case 5:
                return share(size() / 4096 * 4096);
            case 6:
                send(ring(), Command::kOffloadsOp, protocol::OffloadsOpRequest{device(), tensors});
                return;
            case 7:
                send(ring(), Command::kChangedBuffer,
                     protocol::ChangedBufferRequest{buffer(), size(), size()});
                return;
            case 8:
                send(ring_of_stream(), Command::kOptimizeGraph,
                     protocol::OptimizeGraphRequest{put(graph())});
                return;
            case 9:
                send(ring_of_stream(), Command::kAwaitRing,
                     protocol::AwaitRingRequest{graph_number(), size()});
                return;
            case 10:
                return ask_again();
            default:
                send(ring_of_stream(), Command::kSetThreads,
                     protocol::SetThreadsRequest{graph_number()});
        }
    }

    // What is said once.
    void ask_again() {
        if (input_.ConsumeBool())
            send(ring(), Command::kHello, hello());
        else
            send(ring(), Command::kOpenStream, protocol::OpenStreamRequest{device()});
    }

    // Not an edit of the graph with indices.
    void send_raw() {
        const auto bytes =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, 128));
        const auto view = std::as_bytes(std::span(bytes));
        const auto command = input_.ConsumeIntegralInRange<uint32_t>(0, 32);
        if (command != static_cast<uint32_t>(Command::kEditGraph) &&
            command != static_cast<uint32_t>(Command::kDefineGraph))
            send_bytes(ring(), command, {view.begin(), view.end()});
    }

    static constexpr uint32_t kIndexGraph = 4;
    static constexpr uint64_t kRoom = 8192;
    static constexpr uint64_t kPlace = 1024;  // of one tensor

    FuzzedDataProvider input_;
    QuietLog log_;
    std::shared_ptr<OneRegion> regions_ = std::make_shared<OneRegion>();
    std::shared_ptr<backend::Session> session_ = std::make_shared<backend::Session>(
        1, catalogue(), regions_, limits(), std::chrono::microseconds(0),
        std::make_shared<backend::MemoryAccount>(kMemory), std::make_shared<backend::GraphUids>(0),
        nullptr, log_);
    Commands control_{session_, 0, 1};
    Commands stream_{session_, 1, 1};
    std::vector<protocol::Handle> buffers_;
    protocol::Handle home_;  // of the tensors of a graph
    uint32_t device_ = 0;
    bool alive_ = true;
    bool aborts_ = false;
    bool ends_ = false;

    static backend::Limits limits() {
        backend::Limits limits;
        limits.buffers = 16;
        limits.graphs = 3;
        limits.graph_tensors = 16;
        return limits;
    }
};

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    virtgpu::fuzz::Guest(data, size).run();
    return 0;
}
