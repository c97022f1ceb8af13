// What the original does wrong, each as a test that ours does not. The numbers are those of
// docs/interop.md.
#include <sys/mman.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/apir/library_fixture.h"

namespace virtgpu::test {
namespace {

// A graph that computes, as bytes to be spoiled.
class DefectsTest : public LibraryTest {
 protected:
    void SetUp() override {
        process = start();
        guest = process->guest.get();
        graph = std::make_unique<GuestGraph>(*guest, layer_like);
        graph->send_inputs();
        encoded = UpstreamGuest::encode(graph->native.graph, graph->place());
        nodes = word(0);
    }
    // Whatever came before, the context still computes.
    void TearDown() override { EXPECT_EQ(guest->compute(encoded), GGML_STATUS_SUCCESS); }

    uint32_t word(size_t offset) const {
        uint32_t value = 0;
        std::memcpy(&value, encoded.data() + offset, sizeof value);
        return value;
    }
    size_t first_tensor() const { return 8 + 8 * size_t{nodes}; }
    size_t tensors() const { return word(4 + 8 * size_t{nodes}); }

    template <typename T>
    std::vector<std::byte> with(size_t offset, T value) const {
        std::vector<std::byte> spoiled = encoded;
        std::memcpy(spoiled.data() + offset, &value, sizeof value);
        return spoiled;
    }
    // A field of the last tensor, which is a node.
    template <typename T>
    std::vector<std::byte> with_last(size_t field, T value) const {
        return with(first_tensor() + (tensors() - 1) * sizeof(RpcTensor) + field, value);
    }
    void expect_failed(std::span<const std::byte> spoiled) {
        EXPECT_EQ(guest->compute(spoiled), GGML_STATUS_FAILED);
    }

    std::unique_ptr<Process> process;
    UpstreamGuest* guest = nullptr;
    std::unique_ptr<GuestGraph> graph;
    std::vector<std::byte> encoded;
    uint32_t nodes = 0;
};

uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    uint64_t size = 0;
    uint64_t resident = 0;
    statm >> size >> resident;
    return resident * 4096;
}

size_t mapped_blobs() {
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("apir-shmem") != std::string::npos ? 1U : 0U;
    return count;
}

bool is_mapped_here(uint64_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        uint64_t begin = 0;
        uint64_t end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && begin <= address &&
            address < end)
            return true;
    }
    return false;
}

TEST_F(DefectsTest, Virglrenderer33ConfigurationIsReadWhenTheLibraryIsLoadedAndNotAgain) {
    renderer.configure("ggml.library.path", "/changed/behind/our/back");
    EXPECT_TRUE(graph->same_as_native());
}

TEST_F(DefectsTest, Virglrenderer36BlobSizesAreFoundOut) {
    const Blob& data = guest->data();
    const auto compute = [&](uint64_t size) {
        return guest
            ->call(UpstreamCommand::kGraphCompute, Encoder().number(data.resource).number(size))
            .number<int32_t>();
    };
    EXPECT_EQ(compute(data.size + 1), GGML_STATUS_FAILED);
    EXPECT_EQ(compute(UINT64_MAX), GGML_STATUS_FAILED);
    const auto buffer =
        guest
            ->call(
                UpstreamCommand::kBufferFromPtr,
                Encoder().number(data.resource).number(uint64_t{data.size} + 1).number(uint64_t{1}))
            .number<uint64_t>();
    EXPECT_EQ(buffer, UINT64_MAX);
}

// What is no shared mapping of its own has no size that can be found out.
TEST_F(DefectsTest, Virglrenderer36BlobsThatAreNoSharedMappingsAreRefused) {
    const Blob blob = process->context.create_blob(16384);
    ::mmap(blob.memory, blob.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
           -1, 0);
    EXPECT_EQ(guest
                  ->call(UpstreamCommand::kGraphCompute,
                         Encoder().number(blob.resource).number(uint64_t{64}))
                  .number<int32_t>(),
              GGML_STATUS_FAILED);
}

TEST_F(DefectsTest, Upstream552TheStackAddressThatPassesForAHandleIsIgnored) {
    ggml_tensor node = *graph->native.result;
    ASSERT_NE(node.buffer, nullptr);
    EXPECT_EQ(guest->alloc_size(&node), ggml_nbytes(&node));
    EXPECT_TRUE(guest->supports_op(&node));
}

TEST_F(DefectsTest, Upstream553NothingOfAContextIsLeftWhenItEnds) {
    const size_t before = mapped_blobs();
    for (int i = 0; i < 5; ++i) {
        const auto other = start(2);
        GuestGraph its(*other->guest, layer_like);
        EXPECT_TRUE(its.same_as_native());
        // Killed: nothing is freed.
    }
    EXPECT_EQ(mapped_blobs(), before);
}

TEST_F(DefectsTest, Upstream554NoMemoryIsLostPerGraphOrTransfer) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "AddressSanitizer keeps what is freed";
#endif
    const ggml_tensor* const input = graph->native.leaves()[1];
    const auto work = [&](int rounds) {
        for (int i = 0; i < rounds; ++i) {
            // Another graph each time, so that none is known.
            std::vector<std::byte> other = encoded;
            std::memcpy(other.data() + first_tensor() + 232, &i, sizeof i);
            ASSERT_EQ(guest->compute(other), GGML_STATUS_SUCCESS);
            for (int j = 0; j < 10; ++j)
                graph->send_inputs();
            ASSERT_TRUE(guest->supports_op(input));
        }
    };
    work(50);
    const uint64_t before = resident_bytes();
    work(500);
    // Upstream loses 10 kB for each graph of this size.
    EXPECT_LT(resident_bytes(), before + (uint64_t{2} << 20));
}

TEST_F(DefectsTest, Upstream555AnOperationThatTheBackendLacksFailsAndAbortsNothing) {
    // The CPU backend has no such conversion.
    std::vector<std::byte> spoiled = encoded;
    std::byte* const place = spoiled.data() + first_tensor() + (tensors() - 1) * sizeof(RpcTensor);
    RpcTensor last;
    std::memcpy(&last, place, sizeof last);
    last.op = GGML_OP_CPY;
    last.src[1] = last.src[0];
    last.type = GGML_TYPE_IQ1_S;
    last.ne[0] = 256;
    last.ne[1] = 1;
    for (uint32_t& stride : last.nb)
        stride = 50;
    std::memcpy(place, &last, sizeof last);
    expect_failed(spoiled);
}

// Each thread has a reply page of its own here, and the host serves both.
TEST_F(DefectsTest, Upstream558TwoThreadsOfAGuestDisturbNothing) {
    UpstreamGuest second(process->context);
    std::atomic<bool> done{false};
    std::thread asks([&] {
        while (!done)
            EXPECT_EQ(second.call(UpstreamCommand::kDeviceCount).number<int32_t>(), 1);
    });
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(guest->compute(encoded), GGML_STATUS_SUCCESS);
    done = true;
    asks.join();
}

TEST_F(DefectsTest, Upstream5510ABufferThatIsTooLargeMakesGraphsFailAndAbortsNothing) {
    const auto handle = guest
                            ->call(UpstreamCommand::kAllocBuffer,
                                   Encoder().number(guest->buffer_type).number(uint64_t{1} << 60))
                            .number<uint64_t>();
    ASSERT_NE(handle, 0U) << "upstream's frontend does not look for a 0";
    const auto base =
        guest->call(UpstreamCommand::kBufferBase, Encoder().number(handle)).number<uint64_t>();
    EXPECT_NE(base, 0U);
    EXPECT_EQ(base % guest->alignment, 0U);
    GuestBuffer buffer{handle, base, std::nullopt};
    const ggml_tensor* const input = graph->native.leaves()[1];
    const PlaceOf place = [&](const ggml_tensor* tensor) {
        return Placed{handle, graph->native.offset_of(tensor)};
    };
    guest->set(buffer, input, place, input->data, 0, ggml_nbytes(input));
    std::vector<std::byte> bytes(ggml_nbytes(input), std::byte{1});
    guest->get(buffer, input, place, bytes.data(), 0, bytes.size());
    EXPECT_EQ(bytes, std::vector<std::byte>(bytes.size()));
    guest->clear(buffer, 1);
    EXPECT_EQ(guest->compute(graph->native.graph, place), GGML_STATUS_ALLOC_FAILED);
    guest->free(buffer);
}

TEST_F(DefectsTest, Upstream5512ACopyFromAnotherBackendsBufferIsLeftToTheGuest) {
    const ggml_tensor* const from = graph->native.leaves()[1];
    const ggml_tensor* const to = graph->native.result;
    for (const uint64_t stranger : {uint64_t{0}, uint64_t{0x7f00'dead'beef}, UINT64_MAX})
        EXPECT_FALSE(guest->copy(graph->buffer, from, to, [&](const ggml_tensor* tensor) {
            return Placed{tensor == from ? stranger : graph->buffer.handle,
                          graph->native.offset_of(tensor)};
        }));
}

// One for each way to end upstream's host.
TEST_F(DefectsTest, Upstream56UnknownNodeId) {
    expect_failed(with(4, uint64_t{0x1234}));
}
TEST_F(DefectsTest, Upstream56NodeIdZero) {
    expect_failed(with(4, uint64_t{0}));
}
TEST_F(DefectsTest, Upstream56TensorIdZero) {
    expect_failed(with_last(0, uint64_t{0}));
}
TEST_F(DefectsTest, Upstream56TheSameIdTwice) {
    std::vector<std::byte> spoiled = encoded;
    std::memcpy(spoiled.data() + first_tensor() + sizeof(RpcTensor),
                spoiled.data() + first_tensor(), sizeof(uint64_t));
    expect_failed(spoiled);
}
TEST_F(DefectsTest, Upstream56ANodeThatIsItsOwnSource) {
    std::vector<std::byte> spoiled = encoded;
    std::byte* const last = spoiled.data() + first_tensor() + (tensors() - 1) * sizeof(RpcTensor);
    std::memcpy(last + offsetof(RpcTensor, src), last, sizeof(uint64_t));
    expect_failed(spoiled);
}
TEST_F(DefectsTest, Upstream56NodesWithoutNumber) {
    expect_failed(with(0, uint32_t{0x7fffffff}));
    expect_failed(with(0, UINT32_MAX));
}
TEST_F(DefectsTest, Upstream56TensorsWithoutNumber) {
    expect_failed(with(4 + 8 * size_t{nodes}, UINT32_MAX));
}
TEST_F(DefectsTest, Upstream56AGraphThatEndsEarly) {
    for (const size_t size : {size_t{0}, size_t{3}, size_t{100}, encoded.size() - 1})
        expect_failed(std::span(encoded).first(size));
}
TEST_F(DefectsTest, Upstream56UnknownType) {
    expect_failed(with_last(offsetof(RpcTensor, type), uint32_t{GGML_TYPE_COUNT}));
    expect_failed(with_last(offsetof(RpcTensor, type), UINT32_MAX));
    // One that was removed, with a block of no elements.
    expect_failed(with_last(offsetof(RpcTensor, type), uint32_t{4}));
}
TEST_F(DefectsTest, Upstream56UnknownOperation) {
    expect_failed(with_last(offsetof(RpcTensor, op), uint32_t{GGML_OP_COUNT}));
    expect_failed(with_last(offsetof(RpcTensor, op), UINT32_MAX));
}
TEST_F(DefectsTest, Upstream56AnOperationWithAFunctionPointer) {
    for (const ggml_op op : {GGML_OP_CUSTOM, GGML_OP_MAP_CUSTOM1, GGML_OP_MAP_CUSTOM3})
        expect_failed(with_last(offsetof(RpcTensor, op), uint32_t{op}));
}
TEST_F(DefectsTest, Upstream56DataOutsideOfTheBuffer) {
    expect_failed(with_last(offsetof(RpcTensor, data), uint64_t{1} << 40));
    expect_failed(with_last(offsetof(RpcTensor, data), UINT64_MAX - 16));
}
TEST_F(DefectsTest, Upstream56AnAddressOfTheHostWithoutABuffer) {
    const uint64_t secret = 0x5ec2e7;
    std::vector<std::byte> spoiled =
        with_last(offsetof(RpcTensor, data), uint64_t{reinterpret_cast<uintptr_t>(&secret)});
    std::memset(spoiled.data() + first_tensor() + (tensors() - 1) * sizeof(RpcTensor) +
                    offsetof(RpcTensor, buffer),
                0, sizeof(uint64_t));
    expect_failed(spoiled);
    RpcTensor tensor = UpstreamGuest::encode(graph->native.result, graph->place());
    tensor.buffer = 0;
    tensor.data = reinterpret_cast<uintptr_t>(&secret);
    for (const auto command : {UpstreamCommand::kSetTensor, UpstreamCommand::kGetTensor})
        EXPECT_THROW(guest->call(command, Encoder()
                                              .number(graph->buffer.handle)
                                              .raw(&tensor, sizeof tensor)
                                              .number(guest->data().resource)
                                              .number(uint64_t{0})
                                              .number(uint64_t{8})),
                     Aborted);
    EXPECT_EQ(secret, 0x5ec2e7U);
}
TEST_F(DefectsTest, Upstream56HandlesAndBasesAreNoAddressesOfTheHost) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "AddressSanitizer maps small numbers";
#endif
    const auto handle = guest
                            ->call(UpstreamCommand::kAllocBuffer,
                                   Encoder().number(guest->buffer_type).number(uint64_t{4096}))
                            .number<uint64_t>();
    const auto base =
        guest->call(UpstreamCommand::kBufferBase, Encoder().number(handle)).number<uint64_t>();
    for (const uint64_t word : {handle, base, guest->buffer_type})
        EXPECT_FALSE(is_mapped_here(word)) << std::hex << word;
}
TEST_F(DefectsTest, Upstream56AnInventedBufferType) {
    const Encoder invented = Encoder().number(uint64_t{0x4141'4141'4141});
    EXPECT_EQ(guest->call(UpstreamCommand::kBufferTypeName, invented).string(), "CPU");
    EXPECT_GT(guest->call(UpstreamCommand::kBufferTypeAlignment, invented).number<uint64_t>(), 0U);
}
TEST_F(DefectsTest, Upstream56AnInventedBuffer) {
    for (const auto command :
         {UpstreamCommand::kBufferBase, UpstreamCommand::kFreeBuffer, UpstreamCommand::kClear})
        EXPECT_THROW(guest->call(command, Encoder().number(uint64_t{0x4141'4141'4141}).byte(1)),
                     Aborted);
    expect_failed(with_last(offsetof(RpcTensor, buffer), uint64_t{0x4141'4141'4141}));
}
TEST_F(DefectsTest, Upstream56ATransferOutsideOfTheTensor) {
    const RpcTensor tensor = UpstreamGuest::encode(graph->native.result, graph->place());
    struct Range {
        uint64_t offset;
        uint64_t size;
    };
    for (const Range range :
         {Range{UINT64_MAX, 8}, {uint64_t{1} << 40, 8}, {0, uint64_t{1} << 40}, {0, UINT64_MAX}})
        for (const auto command : {UpstreamCommand::kSetTensor, UpstreamCommand::kGetTensor})
            EXPECT_THROW(guest->call(command, Encoder()
                                                  .number(graph->buffer.handle)
                                                  .raw(&tensor, sizeof tensor)
                                                  .number(guest->data().resource)
                                                  .number(range.offset)
                                                  .number(range.size)),
                         Aborted);
}
TEST_F(DefectsTest, Upstream56ABufferThatWasFreed) {
    GuestGraph other(*guest, layer_like);
    EXPECT_TRUE(other.same_as_native());
    guest->free(other.buffer);
    EXPECT_EQ(other.compute(), GGML_STATUS_FAILED);
    EXPECT_THROW(guest->free(other.buffer), Aborted);
}
TEST_F(DefectsTest, Upstream56ABlobThatIsGoneBeforeItsBuffer) {
    GuestGraph other(*guest, layer_like);
    other.send_inputs();
    process->context.destroy_blob(*other.buffer.blob);
    // The host has the memory for as long as the buffer needs it.
    EXPECT_EQ(other.compute(), GGML_STATUS_SUCCESS);
    guest->free(other.buffer);
}
TEST_F(DefectsTest, Upstream56AGraphThatChangesWhileItIsRead) {
    Blob& data = guest->data();
    std::atomic<bool> done{false};
    std::thread scribbles([&] {
        for (uint32_t i = 0; !done; ++i)
            std::memcpy(data.memory + (i * 4) % encoded.size(), &i, sizeof i);
    });
    for (int i = 0; i < 200; ++i) {
        const auto status = guest->compute(encoded);
        EXPECT_TRUE(status == GGML_STATUS_SUCCESS || status == GGML_STATUS_FAILED);
    }
    done = true;
    scribbles.join();
}
TEST_F(DefectsTest, Upstream56UnknownCommandsAreAnswered) {
    for (const uint32_t command : {23U, 4096U, 5000U, UINT32_MAX})
        EXPECT_EQ(guest->raw_call(command, {}), 1U + 4 + 6) << command;
    // And commands without their arguments.
    for (uint32_t command = 9; command <= 22; ++command)
        EXPECT_GT(guest->raw_call(command, {}), 0U) << command;
}

}  // namespace
}  // namespace virtgpu::test
