// A context as one hostile guest process sees it: sequences of level 2 commands on ring 0 and on a
// stream, with handles, graphs and regions that are mostly right, on ggml's CPU backend.
#include <fuzzer/FuzzedDataProvider.h>
#include <ggml.h>

#include <cstdlib>
#include <cstring>

#include "backend/commands.h"
#include "tests/fuzz/quiet_log.h"
#include "tests/fuzz/require.h"

namespace virtgpu::fuzz {
namespace {

using backend::Commands;
using protocol::Command;

constexpr size_t kSteps = 64;
constexpr uint32_t kRegion = 3;
constexpr size_t kRegionBytes = 1 << 16;
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
        options.backends = {"cpu"};
        auto catalogue = backend::Catalogue::load(options, log);
        require(catalogue.has_value(), "there is a CPU backend in $GGML_VIRTGPU_BACKEND_DIR");
        return std::move(*catalogue);
    }();
    return *loaded;
}

// Of those operations whose outcome no data can spoil; the others are the business of
// operations.cpp.
protocol::HelloRequest hello() {
    protocol::HelloRequest hello;
    hello.level2_version = protocol::kLevel2Version;
    for (const ggml_op op :
         {GGML_OP_NONE, GGML_OP_ADD, GGML_OP_MUL, GGML_OP_MUL_MAT, GGML_OP_SCALE, GGML_OP_CPY,
          GGML_OP_CONT, GGML_OP_RMS_NORM, GGML_OP_VIEW, GGML_OP_SOFT_MAX, GGML_OP_UNARY})
        hello.ops.push_back({static_cast<uint32_t>(op), ggml_op_name(op)});
    for (const ggml_type type :
         {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_I32, GGML_TYPE_I8})
        hello.types.push_back({static_cast<uint32_t>(type), ggml_type_name(type)});
    hello.unary_ops.push_back({GGML_UNARY_OP_RELU, "RELU"});
    return hello;
}

class Guest {
 public:
    Guest(const uint8_t* data, size_t size) : input_(data, size) {}

    void run() {
        if (input_.ConsumeIntegralInRange<int>(0, 15) != 0) {
            send(control_, Command::kHello, hello());
            send(stream_, Command::kOpenStream, protocol::OpenStreamRequest{0});
        }
        for (size_t step = 0; step < kSteps && alive_ && input_.remaining_bytes() > 0; ++step)
            take_step();
    }

 private:
    void take_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 11)) {
            case 0:
            case 1:
                return alloc();
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
                send(stream_, Command::kRunGraph,
                     protocol::RunGraphRequest{graph_number(), input_.ConsumeBool()});
                return;
            case 9:
                send(stream_, Command::kDropGraph, protocol::DropGraphRequest{graph_number()});
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
        static const backend::StopAsked never = [] { return backend::Stop::kNever; };
        static const backend::AbortAsked no = [] { return false; };
        wire::Writer reply;
        const auto done = to.carry_out({1, command, 0, std::move(payload)}, reply, never, no);
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

    void alloc() {
        const auto reply =
            send(control_, Command::kAllocBuffer, protocol::AllocBufferRequest{0, size()});
        if (const auto decoded = wire::decode_whole<protocol::AllocBufferReply>(reply))
            buffers_.push_back(decoded->buffer);
    }

    // One that there is, was, or never was.
    protocol::Handle buffer() {
        if (buffers_.empty() || input_.ConsumeIntegralInRange<int>(0, 31) == 0)
            return {input_.ConsumeIntegral<uint8_t>(), input_.ConsumeIntegral<uint8_t>()};
        return buffers_[input_.ConsumeIntegralInRange<size_t>(0, buffers_.size() - 1)];
    }

    protocol::RegionSpan span(uint64_t bytes) {
        if (input_.ConsumeIntegralInRange<int>(0, 31) == 0)
            return {input_.ConsumeIntegral<uint8_t>(), input_.ConsumeIntegral<uint64_t>(),
                    input_.ConsumeIntegral<uint64_t>()};
        return {kRegion, 0, bytes};
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
        switch (input_.ConsumeIntegralInRange<int>(0, 4)) {
            case 0:
                send(ring(), Command::kSetTensor,
                     protocol::SetTensorRequest{tensor, offset, span(bytes)});
                return;
            case 1:
                send(ring(), Command::kGetTensor,
                     protocol::GetTensorRequest{tensor, offset, span(bytes)});
                return;
            case 2:
                send(ring(), Command::kMemsetTensor,
                     protocol::MemsetTensorRequest{tensor, offset, bytes, 7});
                return;
            case 3:
                send(ring(), Command::kClearBuffer, protocol::ClearBufferRequest{buffer(), 1});
                return;
            default: {
                protocol::TensorData other = tensor;
                other.buffer = buffer();
                other.data_offset = input_.ConsumeIntegralInRange<uint64_t>(0, 8) * 64;
                send(ring(), Command::kCopyTensor, protocol::CopyTensorRequest{tensor, other});
            }
        }
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

    template <typename T>
    protocol::RegionSpan put(const T& value) {
        wire::Writer writer;
        static_cast<void>(encode(writer, value));
        if (!regions_->region->copy_in(0, writer.bytes()))
            return {kRegion, 0, kRegionBytes};
        return span(writer.bytes().size());
    }

    void define() {
        send(ring_of_stream(), Command::kDefineGraph,
             protocol::DefineGraphRequest{graph_number(), put(graph())});
    }
    void edit() {
        protocol::GraphEdit edit;
        const size_t count = input_.ConsumeIntegralInRange<size_t>(0, 2);
        for (size_t i = 0; i < count; ++i) {
            const auto position = input_.ConsumeIntegralInRange<uint32_t>(0, 6);
            edit.changes.push_back({position, node(position)});
        }
        send(ring_of_stream(), Command::kEditGraph,
             protocol::EditGraphRequest{graph_number(), put(edit)});
    }
    Commands& ring_of_stream() {
        return input_.ConsumeIntegralInRange<int>(0, 31) == 0 ? control_ : stream_;
    }

    void ask() {
        std::vector<protocol::GraphTensor> tensors = graph().tensors;
        switch (input_.ConsumeIntegralInRange<int>(0, 6)) {
            case 0:
                send(ring(), Command::kSupportsOp, protocol::SupportsOpRequest{0, tensors});
                return;
            case 1:
                send(ring(), Command::kGetAllocSize, protocol::GetAllocSizeRequest{0, tensors});
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
            case 5: {
                const auto reply =
                    send(control_, Command::kShareBuffer,
                         protocol::ShareBufferRequest{0, span(size() / 4096 * 4096)});
                if (const auto decoded = wire::decode_whole<protocol::ShareBufferReply>(reply))
                    buffers_.push_back(decoded->buffer);
                return;
            }
            default:
                send(ring(), Command::kSetThreads, protocol::SetThreadsRequest{graph_number()});
        }
    }

    void send_raw() {
        const auto bytes =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, 128));
        const auto view = std::as_bytes(std::span(bytes));
        send_bytes(ring(), input_.ConsumeIntegralInRange<uint32_t>(0, 32),
                   {view.begin(), view.end()});
    }

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
    bool alive_ = true;

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
