// Sequences of commands that no frontend would send, from several contexts at once. What counts is
// that every one of them is answered, and, with the sanitizers, how.
#include <random>
#include <thread>

#include "tests/apir/library_fixture.h"

namespace virtgpu::test {
namespace {

constexpr int kSequences = 1000;
constexpr int kThreads = 4;
constexpr uint32_t kCommands = 24;  // with one that does not exist

// Makes up arguments that are mostly right.
class Sequence {
 public:
    Sequence(FakeVirglrenderer& renderer, uint32_t number, unsigned seed)
        : random_(seed), process_(renderer, number), guest_(*process_.guest) {}

    void run() {
        guest_.start();
        graph_ = std::make_unique<GuestGraph>(guest_, layer_like);
        graph_->send_inputs();
        encoded_ = UpstreamGuest::encode(graph_->native.graph, graph_->place());
        const unsigned length = below(16);
        for (unsigned i = 0; i < length; ++i)
            step();
    }

 private:
    unsigned below(unsigned limit) {
        return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_);
    }
    bool seldom() { return below(4) == 0; }
    uint64_t number() {
        constexpr uint64_t kNumbers[] = {0,       1,          2,          8,
                                         4096,    1 << 20,    UINT32_MAX, uint64_t{1} << 32,
                                         1 << 14, UINT64_MAX, INT64_MAX,  uint64_t{1} << 63};
        return seldom() ? random_() : kNumbers[below(std::size(kNumbers))];
    }
    uint64_t or_wrong(uint64_t right) { return seldom() ? number() : right; }
    uint64_t buffer() { return or_wrong(graph_->buffer.handle); }
    uint32_t region() { return static_cast<uint32_t>(or_wrong(guest_.data().resource)); }

    RpcTensor tensor() {
        const int node = static_cast<int>(
            below(static_cast<unsigned>(ggml_graph_n_nodes(graph_->native.graph))));
        RpcTensor tensor =
            UpstreamGuest::encode(ggml_graph_node(graph_->native.graph, node), graph_->place());
        if (seldom())
            std::memcpy(reinterpret_cast<std::byte*>(&tensor) + 8 * below(sizeof tensor / 8),
                        std::array{number()}.data(), sizeof(uint64_t));
        return tensor;
    }

    // Only in ways that leave no graph that could be computed: kernels that compute with wrong
    // shapes are another test's business.
    void write_graph() {
        std::vector<std::byte> bytes = encoded_;
        const auto spoil = [&](size_t offset, uint64_t value, size_t size) {
            std::memcpy(bytes.data() + offset, &value, size);
        };
        uint32_t nodes = 0;
        std::memcpy(&nodes, bytes.data(), sizeof nodes);
        const size_t first = 8 + 8 * size_t{nodes};
        switch (below(8)) {
            case 0:
                spoil(0, nodes + 1 + number() % 1000, 4);
                break;
            case 1:
                spoil(4 + 8 * below(nodes), 1 + below(1000), 8);
                break;
            case 2:
                spoil(first - 4, number() | 0x10000, 4);
                break;
            case 3:
                spoil(first + offsetof(RpcTensor, type), 0x100 + below(1000), 4);
                break;
            case 4:
                spoil(first + offsetof(RpcTensor, data), uint64_t{1} << (30 + below(34)), 8);
                break;
            case 5:
                spoil(first + offsetof(RpcTensor, ne), UINT32_MAX - below(100), 4);
                break;
            case 6:
                spoil(first + offsetof(RpcTensor, buffer), random_() | 1, 8);
                break;
            default:
                break;
        }
        std::memcpy(guest_.data().memory, bytes.data(), bytes.size());
    }

    void add_arguments(uint32_t command, Encoder& arguments) {
        switch (static_cast<UpstreamCommand>(command)) {
            case UpstreamCommand::kBufferFromPtr:
                arguments.number(region()).number(or_wrong(16384)).number(number());
                break;
            case UpstreamCommand::kAllocBuffer:
                arguments.number(number()).number(or_wrong(1 << 16));
                break;
            case UpstreamCommand::kSetTensor:
            case UpstreamCommand::kGetTensor: {
                const RpcTensor one = tensor();
                arguments.number(buffer()).raw(&one, sizeof one).number(region());
                arguments.number(or_wrong(0)).number(or_wrong(64));
                break;
            }
            case UpstreamCommand::kCpyTensor: {
                const RpcTensor from = tensor();
                const RpcTensor to = tensor();
                arguments.number(buffer()).raw(&from, sizeof from).raw(&to, sizeof to);
                break;
            }
            case UpstreamCommand::kSupportsOp:
            case UpstreamCommand::kAllocSize:
                add_node(command, arguments);
                break;
            case UpstreamCommand::kGraphCompute:
                write_graph();
                arguments.number(region()).number(or_wrong(encoded_.size()));
                break;
            default:
                arguments.number(buffer()).byte(static_cast<uint8_t>(random_()));
        }
    }

    void add_node(uint32_t command, Encoder& arguments) {
        if (command == static_cast<uint32_t>(UpstreamCommand::kAllocSize))
            arguments.number(number());
        ggml_tensor node = *graph_->native.result;
        if (seldom())
            node.type = static_cast<ggml_type>(below(100));
        if (seldom())
            node.op = static_cast<ggml_op>(below(200));
        if (seldom())
            node.ne[below(4)] = static_cast<int64_t>(number());
        arguments.raw(&node, sizeof node).number(random_());
        arguments.raw(node.src[0], sizeof node);
        if (seldom())
            arguments.raw(node.src[0], sizeof node);
    }

    void step() {
        const uint32_t command = below(kCommands);
        Encoder arguments;
        if (below(8) == 0) {
            for (unsigned i = below(40); i != 0; --i)
                arguments.number(number());
        } else {
            add_arguments(command, arguments);
        }
        auto bytes = arguments.bytes();
        if (below(8) == 0)
            bytes = bytes.first(bytes.size() / 8 * 4);
        EXPECT_NE(guest_.raw_call(command, bytes), 0U);
        if (below(16) == 0)
            process_.context.destroy_blob(*graph_->buffer.blob);
        else if (below(8) == 0)
            process_.context.create_blob(16384);
    }

    std::mt19937_64 random_;
    Process process_;
    UpstreamGuest& guest_;
    std::unique_ptr<GuestGraph> graph_;
    std::vector<std::byte> encoded_;
};

TEST_F(LibraryTest, AThousandRandomSequencesOfCommands) {
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < kThreads; ++thread)
        threads.emplace_back([this, thread] {
            for (unsigned i = 0; i < kSequences / kThreads; ++i)
                Sequence(renderer, 1 + thread, thread * kSequences + i).run();
        });
    for (std::thread& thread : threads)
        thread.join();
    // And after all that:
    const auto process = start(1);
    GuestGraph graph(*process->guest, layer_like);
    EXPECT_TRUE(graph.same_as_native());
}

}  // namespace
}  // namespace virtgpu::test
