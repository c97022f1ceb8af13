// Our frontend against a host that speaks upstream's level 1 only: a virglrenderer that has loaded
// a library with the APIR interface. Used through libggml's public functions.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <gmock/gmock.h>

#include <cstring>
#include <numeric>

#include "frontend/level1/upstream_host.h"
#include "frontend/plugin/discovery.h"
#include "frontend/plugin/registry.h"
#include "tests/apir/library_fixture.h"
#include "tests/apir/virglrenderer_transport.h"
#include "tests/unit/backend/recording_log.h"

namespace virtgpu::test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRows = 48;
constexpr int64_t kColumns = 64;

std::vector<float> numbers(int64_t count, float step) {
    std::vector<float> all(static_cast<size_t>(count));
    for (size_t i = 0; i < all.size(); ++i)
        all[i] = step * static_cast<float>(i % 97) - 3;
    return all;
}

// softmax(weights x input) + a view of it, on one backend.
class SmallGraph {
 public:
    explicit SmallGraph(ggml_backend_t backend) : backend_(backend) {
        weights_ = ggml_new_tensor_2d(context_, GGML_TYPE_F32, kColumns, kRows);
        input_ = ggml_new_tensor_2d(context_, GGML_TYPE_F32, kColumns, 2);
        ggml_tensor* const product = ggml_mul_mat(context_, weights_, input_);
        ggml_tensor* const sum = ggml_soft_max(context_, product);
        ggml_tensor* const first = ggml_view_1d(context_, sum, kRows, 0);
        result_ = ggml_add(context_, sum, first);
        graph_ = ggml_new_graph(context_);
        ggml_build_forward_expand(graph_, result_);
        buffer_ = ggml_backend_alloc_ctx_tensors(context_, backend);
    }
    ~SmallGraph() {
        ggml_backend_buffer_free(buffer_);
        ggml_free(context_);
    }
    SmallGraph(const SmallGraph&) = delete;
    SmallGraph& operator=(const SmallGraph&) = delete;

    bool allocated() const { return buffer_ != nullptr; }
    void fill(float step) {
        set(weights_, numbers(kColumns * kRows, step));
        set(input_, numbers(kColumns * 2, 2 * step));
    }
    ggml_status compute() { return ggml_backend_graph_compute(backend_, graph_); }
    std::vector<float> result() {
        std::vector<float> all(static_cast<size_t>(ggml_nelements(result_)));
        ggml_backend_tensor_get(result_, all.data(), 0, ggml_nbytes(result_));
        return all;
    }
    ggml_backend_buffer_t buffer() { return buffer_; }
    ggml_tensor* weights() { return weights_; }
    ggml_tensor* input() { return input_; }

 private:
    static void set(ggml_tensor* tensor, const std::vector<float>& values) {
        ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
    }

    ggml_backend_t backend_;
    ggml_context* context_ =
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true});
    ggml_tensor* weights_;
    ggml_tensor* input_;
    ggml_tensor* result_;
    ggml_cgraph* graph_;
    ggml_backend_buffer_t buffer_;
};

class FrontendTest : public ::testing::Test {
 protected:
    FrontendTest() : renderer_(VIRTGPU_BACKEND_LIBRARY) {
        renderer_.configure("ggml.library.path", cpu_backend());
    }

    // The devices of a guest process.
    void connect(uint32_t context = 1, size_t largest_region = SIZE_MAX) {
        auto transport =
            std::make_unique<VirglrendererTransport>(renderer_, context, largest_region);
        transport_ = transport.get();
        auto connection = frontend::connect_to_host(std::move(transport), nullptr, log_);
        ASSERT_TRUE(connection) << connection.error().message();
        registry_.add(std::move(*connection));
    }
    ggml_backend_t open() { return ggml_backend_dev_init(registry_.device(0), nullptr); }

    static std::vector<float> natively(float step) {
        ggml_backend_t const cpu = ggml_backend_init_by_name("CPU", nullptr);
        std::vector<float> result;
        {
            SmallGraph graph(cpu);
            graph.fill(step);
            graph.compute();
            result = graph.result();
        }
        ggml_backend_free(cpu);
        return result;
    }

    void expect_same_as_native() {
        ggml_backend_t const backend = open();
        ASSERT_NE(backend, nullptr);
        {
            SmallGraph graph(backend);
            ASSERT_TRUE(graph.allocated());
            for (const float step : {0.01F, 0.02F}) {
                graph.fill(step);
                ASSERT_EQ(graph.compute(), GGML_STATUS_SUCCESS) << log_.text();
                EXPECT_THAT(graph.result(),
                            ::testing::Pointwise(::testing::FloatNear(1e-6F), natively(step)));
            }
        }
        ggml_backend_free(backend);
    }

    backend::RecordingLog log_;
    FakeVirglrenderer renderer_;
    VirglrendererTransport* transport_ = nullptr;
    frontend::Registry registry_{ggml_private::PluginAbi::kVersion3, {}, log_};
};

TEST_F(FrontendTest, FindsOutThatTheHostSpeaksLevel1Only) {
    connect();
    ASSERT_EQ(registry_.device_count(), 1U);
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(registry_.device(0), &properties);
    EXPECT_STREQ(properties.name, "virtgpu0");
    EXPECT_EQ(properties.type, GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_THAT(properties.description, HasSubstr("(remote)"));
    EXPECT_THAT(properties.device_id, HasSubstr("virtgpu:virglrenderer/"));
    EXPECT_GT(properties.memory_total, 0U);
    EXPECT_FALSE(properties.caps.async);
    EXPECT_FALSE(properties.caps.events);
    EXPECT_EQ(ggml_backend_dev_host_buffer_type(registry_.device(0)), nullptr);
    EXPECT_THAT(log_.text(), HasSubstr("speaks level 1 (APIR) only"));
}

// Upstream's host goes wrong where its library refuses an id.
TEST_F(FrontendTest, AsksForNothingThatUpstreamsLibraryDoesNotKnow) {
    connect();
    expect_same_as_native();
    EXPECT_EQ(transport_->unknown_forwards(), 0);
}

TEST_F(FrontendTest, ComputesInSharedMemory) {
    connect();
    expect_same_as_native();
}

// No room for buffers in the window: the host's own memory, and copies.
TEST_F(FrontendTest, ComputesWithCopies) {
    connect(1, frontend::UpstreamHost::kTransferBytes);
    ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(registry_.device(0));
    ggml_backend_buffer_t const large =
        ggml_backend_buft_alloc_buffer(type, 2 * frontend::UpstreamHost::kTransferBytes);
    ASSERT_NE(large, nullptr) << log_.text();
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true});
    // More than fits into one transfer.
    ggml_tensor* const tensor = ggml_new_tensor_1d(context, GGML_TYPE_F32, 10'000'000);
    ASSERT_EQ(ggml_backend_tensor_alloc(large, tensor, ggml_backend_buffer_get_base(large)),
              GGML_STATUS_SUCCESS);
    std::vector<float> sent(10'000'000);
    std::iota(sent.begin(), sent.end(), 1.0F);
    ggml_backend_tensor_set(tensor, sent.data(), 0, ggml_nbytes(tensor));
    ggml_backend_tensor_memset(tensor, 0, 8, 4);
    std::vector<float> got(sent.size());
    ggml_backend_tensor_get(tensor, got.data(), 0, ggml_nbytes(tensor));
    sent[2] = 0;
    EXPECT_EQ(sent, got);
    ggml_backend_buffer_clear(large, 0);
    ggml_backend_tensor_get(tensor, got.data(), 4, 4);
    EXPECT_EQ(got[0], 0);
    ggml_backend_buffer_free(large);
    ggml_free(context);
}

TEST_F(FrontendTest, ComputesWhereNoBufferIsShared) {
    connect();
    transport_->refuse_regions();
    expect_same_as_native();
}

TEST_F(FrontendTest, AsksWhatTheDeviceSupports) {
    connect();
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true});
    ggml_tensor* const a = ggml_new_tensor_2d(context, GGML_TYPE_F32, 32, 4);
    EXPECT_TRUE(ggml_backend_dev_supports_op(registry_.device(0), ggml_mul_mat(context, a, a)));
    ggml_tensor* const quantized = ggml_new_tensor_2d(context, GGML_TYPE_Q4_0, 32, 4);
    ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(registry_.device(0));
    EXPECT_GE(ggml_backend_buft_get_alloc_size(type, quantized), ggml_nbytes(quantized));
    ggml_free(context);
}

TEST_F(FrontendTest, Upstream557MemoryIsAskedForEachTime) {
    connect();
    size_t free = 0;
    size_t total = 0;
    ggml_backend_dev_memory(registry_.device(0), &free, &total);
    const int before = transport_->memory_questions();
    ggml_backend_dev_memory(registry_.device(0), &free, &total);
    EXPECT_EQ(transport_->memory_questions(), before + 1);
    EXPECT_GT(total, 0U);
}

TEST_F(FrontendTest, CopiesOnTheHost) {
    connect();
    ggml_backend_t const backend = open();
    {
        SmallGraph one(backend);
        SmallGraph other(backend);
        one.fill(0.01F);
        other.fill(0.02F);
        ggml_backend_tensor_copy(one.weights(), other.weights());
        ggml_backend_tensor_copy(one.input(), other.input());
        ASSERT_EQ(other.compute(), GGML_STATUS_SUCCESS);
        EXPECT_THAT(other.result(),
                    ::testing::Pointwise(::testing::FloatNear(1e-6F), natively(0.01F)));
    }
    ggml_backend_free(backend);
}

// Upstream's frontend leaves its regions to the end of the process.
TEST_F(FrontendTest, Upstream553GivesRegionsBack) {
    connect();
    ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(registry_.device(0));
    const size_t before = transport_->regions();
    for (int i = 0; i < 50; ++i)
        ggml_backend_buffer_free(ggml_backend_buft_alloc_buffer(type, 1 << 20));
    EXPECT_EQ(transport_->regions(), before);
}

TEST_F(FrontendTest, Upstream5510AHostThatGoesAwayAbortsNobody) {
    connect();
    ggml_backend_t const backend = open();
    {
        SmallGraph graph(backend);
        graph.fill(0.01F);
        transport_->disconnect();
        EXPECT_EQ(graph.compute(), GGML_STATUS_FAILED);
        EXPECT_EQ(ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(registry_.device(0)),
                                                 1 << 20),
                  nullptr);
    }
    ggml_backend_free(backend);
}

// As where the process behind it has ended: virglrenderer takes commands and answers none.
TEST_F(FrontendTest, AHostThatAnswersNoGraphIsLostAfterATime) {
    auto transport = std::make_unique<VirglrendererTransport>(renderer_, 1);
    VirglrendererTransport* const host = transport.get();
    auto client = frontend::ApirClient::start(*transport, log_);
    ASSERT_TRUE(client) << client.error().message();
    auto connection = frontend::UpstreamHost::open(std::move(transport), std::move(*client), log_,
                                                   std::chrono::milliseconds(200));
    ASSERT_TRUE(connection) << connection.error().message();
    registry_.add(std::move(*connection));
    ggml_backend_t const backend = open();
    {
        SmallGraph graph(backend);
        graph.fill(0.01F);
        EXPECT_EQ(graph.compute(), GGML_STATUS_SUCCESS);
        host->swallow_commands();
        EXPECT_EQ(graph.compute(), GGML_STATUS_FAILED);
        EXPECT_THAT(log_.text(), HasSubstr("did not answer FORWARD 22 within 200 ms; restart it"));
        EXPECT_EQ(graph.compute(), GGML_STATUS_FAILED) << "at once";
    }
    ggml_backend_free(backend);
}

TEST_F(FrontendTest, AHostThatNeverAnswersLikeVenusIsLeftAfterItsTime) {
    VirglrendererTransport transport(renderer_, 1);
    transport.swallow_commands();
    auto client = frontend::ApirClient::create(transport);
    ASSERT_TRUE(client);
    const auto answer = (*client)->handshake(std::chrono::milliseconds(200));
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message(), HasSubstr("did not answer HANDSHAKE within 200 ms"));
}

TEST_F(FrontendTest, OfABoolOnlyTheFirstByteCounts) {
    connect();
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true});
    ggml_tensor* const a = ggml_new_tensor_2d(context, GGML_TYPE_F32, 32, 4);
    ggml_tensor* const custom = ggml_map_custom1(
        context, a, [](ggml_tensor*, const ggml_tensor*, int, int, void*) {}, 1, nullptr);
    EXPECT_TRUE(ggml_backend_dev_supports_op(registry_.device(0), ggml_add(context, a, a)));
    EXPECT_FALSE(ggml_backend_dev_supports_op(registry_.device(0), custom)) << "a 0 and garbage";
    ggml_free(context);
}

TEST_F(FrontendTest, Upstream559ATensorThatDoesNotFit32BitsFailsItsGraphAndNothingElse) {
    connect();
    ggml_backend_t const backend = open();
    ggml_context* const context =
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true});
    ggml_tensor* const rows = ggml_new_tensor_2d(context, GGML_TYPE_F32, 4, 2);
    ggml_tensor* const far_apart = ggml_view_2d(context, rows, 4, 2, size_t{1} << 33, 0);
    ggml_cgraph* const graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, ggml_cont(context, far_apart));
    ggml_backend_buffer_t const buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    ASSERT_NE(buffer, nullptr);
    EXPECT_EQ(ggml_backend_graph_compute(backend, graph), GGML_STATUS_FAILED);
    EXPECT_THAT(log_.text(), HasSubstr("too large for a host that speaks level 1 only"));
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    ggml_backend_free(backend);
    expect_same_as_native();
}

// 90,000 tensors of 304 bytes are more than the region for transfers holds.
ggml_status compute_large_graph(ggml_backend_t backend) {
    constexpr size_t kNodes = 90'000;
    static_assert(kNodes * 304 > frontend::UpstreamHost::kTransferBytes);
    ggml_context* const context =
        ggml_init({.mem_size = (kNodes + 8) * ggml_tensor_overhead() +
                               ggml_graph_overhead_custom(2 * kNodes, /*grads=*/false),
                   .mem_buffer = nullptr,
                   .no_alloc = true});
    ggml_tensor* const input = ggml_new_tensor_1d(context, GGML_TYPE_F32, 4);
    ggml_cgraph* const graph = ggml_new_graph_custom(context, 2 * kNodes, /*grads=*/false);
    for (size_t i = 0; i < kNodes; ++i)
        ggml_build_forward_expand(graph, ggml_scale(context, input, 2));
    ggml_backend_buffer_t const buffer = ggml_backend_alloc_ctx_tensors(context, backend);
    const ggml_status status = ggml_backend_graph_compute(backend, graph);
    ggml_backend_buffer_free(buffer);
    ggml_free(context);
    return status;
}

TEST_F(FrontendTest, AGraphLargerThanATransferHasARegionOfItsOwn) {
    connect();
    ggml_backend_t const backend = open();
    EXPECT_EQ(compute_large_graph(backend), GGML_STATUS_SUCCESS) << log_.text();
    ggml_backend_free(backend);
}

TEST_F(FrontendTest, AGraphForWhichThereIsNoRegionFailsAndNothingElse) {
    connect(1, frontend::UpstreamHost::kTransferBytes);
    ggml_backend_t const backend = open();
    EXPECT_EQ(compute_large_graph(backend), GGML_STATUS_FAILED);
    EXPECT_THAT(log_.text(), HasSubstr("no blob of"));
    ggml_backend_free(backend);
    expect_same_as_native();
}

TEST_F(FrontendTest, ALibraryThatDoesNotLoadIsToldAndAbortsNobody) {
    renderer_.configure("ggml.library.path", "/no/such.so");
    auto connection = frontend::connect_to_host(
        std::make_unique<VirglrendererTransport>(renderer_, 1), nullptr, log_);
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().fault(), wire::Fault::kRefused);
}

}  // namespace
}  // namespace virtgpu::test
