// Our library behind a virglrenderer, driven by guests with upstream's frontend.
#include <atomic>
#include <thread>

#include "tests/apir/library_fixture.h"

namespace virtgpu::test {
namespace {

constexpr uint32_t kGpu = 1;

TEST_F(LibraryTest, Upstream556TheStartOfAnUnmodifiedGuestFindsOneDevice) {
    const auto process = start();
    UpstreamGuest& guest = *process->guest;
    EXPECT_EQ(guest.name, "CPU");
    EXPECT_FALSE(guest.description.empty());
    EXPECT_EQ(guest.type, kGpu) << "llama.cpp uses no CPU of another backend";
    EXPECT_GT(guest.memory_total, 0U);
    EXPECT_NE(guest.buffer_type, 0U);
    EXPECT_EQ(guest.buffer_type_name, "CPU");
    EXPECT_GE(guest.alignment, 32U);
    EXPECT_GE(guest.max_size, uint64_t{1} << 30);
}

TEST_F(LibraryTest, GraphsInRegionsThatBothSidesHave) {
    const auto process = start();
    ASSERT_TRUE(process->guest->wants_zero_copy());
    GuestGraph graph(*process->guest, layer_like);
    ASSERT_TRUE(graph.buffer.blob);
    EXPECT_TRUE(graph.same_as_native());
}

TEST_F(LibraryTest, ProtocolOfBeforeMmapSupport) {
    const auto process = start(1, 1);
    GuestGraph graph(*process->guest, layer_like);
    EXPECT_TRUE(graph.same_as_native());
}

// A guest that copies although it need not: both paths lead to the same buffers.
class Copying : public LibraryTest {};

TEST_F(Copying, GraphsInBuffersOfTheHost) {
    const auto process = start();
    GuestGraph graph(*process->guest, layer_like);
    graph.buffer = allocate_on_host(*process->guest, graph.native.size());
    EXPECT_TRUE(graph.same_as_native());
    process->guest->free(graph.buffer);
}

TEST_F(Copying, TransfersLargerThanTheDataBlobHaveBlobsOfTheirOwn) {
    const auto process = start();
    constexpr int64_t kCount = (UpstreamGuest::kDataBytes + (1 << 20)) / sizeof(float);
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true});
    const ggml_tensor* const tensor = ggml_new_tensor_1d(context, GGML_TYPE_F32, kCount);
    const GuestBuffer buffer = allocate_on_host(*process->guest, ggml_nbytes(tensor));
    const PlaceOf place = [&](const ggml_tensor*) { return Placed{buffer.handle, 0}; };
    for (const float value : {1.0F, 2.0F}) {
        // The second blob may have the number and the address of the first.
        const std::vector<float> sent(kCount, value);
        process->guest->set(buffer, tensor, place, sent.data(), 0, ggml_nbytes(tensor));
        std::vector<float> received(kCount);
        process->guest->get(buffer, tensor, place, received.data(), 0, ggml_nbytes(tensor));
        EXPECT_EQ(received, sent);
    }
    ggml_free(context);
}

TEST_F(Copying, ClearAndCopy) {
    const auto process = start();
    UpstreamGuest& guest = *process->guest;
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true});
    const ggml_tensor* const from = ggml_new_tensor_1d(context, GGML_TYPE_I8, 1024);
    const ggml_tensor* const to = ggml_new_tensor_1d(context, GGML_TYPE_I8, 1024);
    const GuestBuffer buffer = allocate_on_host(guest, 2048);
    const PlaceOf place = [&](const ggml_tensor* tensor) {
        return Placed{buffer.handle, tensor == to ? 1024U : 0U};
    };
    guest.clear(buffer, 7);
    const std::vector<std::byte> sent(1024, std::byte{9});
    guest.set(buffer, from, place, sent.data(), 0, sent.size());
    std::vector<std::byte> received(1024);
    guest.get(buffer, to, place, received.data(), 0, received.size());
    EXPECT_EQ(received, std::vector<std::byte>(1024, std::byte{7}));
    EXPECT_TRUE(guest.copy(buffer, from, to, place));
    guest.get(buffer, to, place, received.data(), 0, received.size());
    EXPECT_EQ(received, sent);
    ggml_free(context);
}

TEST_F(LibraryTest, QuestionsAboutNodes) {
    const auto process = start();
    NativeGraph native(layer_like);
    EXPECT_TRUE(process->guest->supports_op(native.result));
    EXPECT_EQ(process->guest->alloc_size(native.result), ggml_nbytes(native.result));
    const ggml_tensor* const view = ggml_graph_node(native.graph, 2);
    EXPECT_TRUE(process->guest->supports_op(view)) << ggml_op_name(view->op);
    EXPECT_FALSE(
        process->guest->call(UpstreamCommand::kBufferTypeIsHost, Encoder().number(uint64_t{1}))
            .boolean());
}

TEST_F(LibraryTest, TwoContextsKnowNothingOfEachOther) {
    const auto one = start(1);
    const auto two = start(2);
    GuestGraph first(*one->guest, layer_like);
    GuestGraph second(*two->guest, layer_like);
    EXPECT_TRUE(first.same_as_native());
    EXPECT_TRUE(second.same_as_native());
    // The same handle, each in its own context.
    EXPECT_EQ(first.buffer.handle, second.buffer.handle);
    one->guest->free(first.buffer);
    EXPECT_NE(first.compute(), GGML_STATUS_SUCCESS);
    EXPECT_EQ(second.compute(), GGML_STATUS_SUCCESS);
}

TEST_F(LibraryTest, ContextsInThreadsOfTheirOwn) {
    std::vector<std::thread> threads;
    std::atomic<int> same{0};
    for (uint32_t number = 1; number <= 4; ++number)
        threads.emplace_back([this, number, &same] {
            for (int round = 0; round < 3; ++round) {
                const auto process = start(number);
                GuestGraph graph(*process->guest, layer_like);
                graph.send_inputs();
                if (graph.compute() == GGML_STATUS_SUCCESS && graph.result() == graph.expected())
                    ++same;
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(same, 12);
}

TEST_F(LibraryTest, AnUnchangedGraphIsKnownAgain) {
    const auto process = start();
    GuestGraph graph(*process->guest, layer_like);
    EXPECT_TRUE(graph.same_as_native());
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(graph.compute(), GGML_STATUS_SUCCESS);
    // Another input, the same graph: what is known is the graph, not its result.
    auto* const input = const_cast<ggml_tensor*>(graph.native.leaves()[1]);
    static_cast<float*>(input->data)[0] += 1;
    EXPECT_TRUE(graph.same_as_native());
}

// A start that fails, with upstream's codes.
class Refusals : public LibraryTest {
 protected:
    uint32_t code() {
        Process process(renderer, 1);
        EXPECT_THROW(process.guest->start(), Aborted);
        return process.context.start_code();
    }
};

TEST_F(Refusals, OfNoPath) {
    renderer.configure("ggml.library.path", "");
    EXPECT_EQ(code(), 3U);
}

TEST_F(Refusals, OfALibraryThatIsNotThere) {
    renderer.configure("ggml.library.path", "/nowhere/libggml-none.so");
    EXPECT_EQ(code(), 4U);
}

TEST_F(Refusals, OfFunctionsThatAreNotThere) {
    renderer.configure("ggml.library.reg", "no_such_function");
    EXPECT_EQ(code(), 5U);
    renderer.configure("ggml.library.reg", "");
    renderer.configure("ggml.library.init", "no_such_function");
    EXPECT_EQ(code(), 5U);
}

TEST_F(Refusals, OfARegistrationThatReturnsNothing) {
    renderer.configure("ggml.library.path", VIRTGPU_KNOWN_ANSWERS);
    renderer.configure("ggml.library.reg", "registers_nothing");
    EXPECT_EQ(code(), 12U);
}

TEST_F(LibraryTest, AnotherRegistrationFunction) {
    renderer.configure("ggml.library.reg", "ggml_backend_cpu_reg");
    const auto process = start();
    GuestGraph graph(*process->guest, layer_like);
    EXPECT_TRUE(graph.same_as_native());
}

TEST_F(LibraryTest, MoreGraphsThanAreKept) {
    const auto process = start();
    std::vector<std::unique_ptr<GuestGraph>> graphs;
    for (int i = 0; i < 20; ++i)
        graphs.push_back(std::make_unique<GuestGraph>(*process->guest, layer_like));
    for (int round = 0; round < 2; ++round)
        for (const auto& graph : graphs)
            EXPECT_TRUE(graph->same_as_native());
}

}  // namespace
}  // namespace virtgpu::test
