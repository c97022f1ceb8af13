// Graphs that the application no longer wants while they are computed.
#include <chrono>
#include <thread>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

class AbortTest : public PluginTest {
 protected:
    // Says that the graph is unwanted from the `limit_`th time on.
    static bool is_unwanted(void* data) {
        auto& test = *static_cast<AbortTest*>(data);
        return ++test.asked_ >= test.limit_;
    }

    void set_callback(ggml_abort_callback callback) {
        const auto set = reinterpret_cast<ggml_backend_set_abort_callback_t>(
            ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_set_abort_callback"));
        ASSERT_NE(set, nullptr);
        set(backend_.get(), callback, this);
    }

    bool abortable() const {
        return host_.requests<protocol::RunGraphRequest>(Command::kRunGraph).back().abortable;
    }

    // Serves when it is told that the graph is unwanted, at the latest after five seconds.
    std::jthread serve_when_aborted() {
        return std::jthread([this] {
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
            while (host_.fake.aborted_until() == 0 && std::chrono::steady_clock::now() < end)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            aborted_before_it_was_served_ = host_.fake.aborted_until();
            host_.fake.serves_rings = true;
        });
    }

    int asked_ = 0;
    int limit_ = 3;
    std::atomic<uint64_t> aborted_before_it_was_served_ = 0;
    ggml_tensor* const a_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_cgraph* const graph_ = graph_of(ggml_scale(context_.get(), a_, 2.0F));
    const GgmlBuffer buffer_ = allocate();
    const GgmlBackend backend_ = open_backend();
};

TEST_F(AbortTest, AnUnwantedGraphIsAborted) {
    set_callback(is_unwanted);
    host_.fake.serves_rings = false;
    {
        const std::jthread host = serve_when_aborted();
        EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_ABORTED);
    }
    EXPECT_EQ(asked_, limit_);
    EXPECT_EQ(aborted_before_it_was_served_, 3U) << "OPEN_STREAM, DEFINE_GRAPH, RUN_GRAPH";
    EXPECT_TRUE(abortable());
    // The stream goes on.
    limit_ = INT32_MAX;
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_SUCCESS);
    EXPECT_EQ(host_.fake.aborted_until(), 3U);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(AbortTest, AWantedGraphIsWaitedFor) {
    set_callback(is_unwanted);
    limit_ = INT32_MAX;
    host_.compute_by([] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); });
    EXPECT_EQ(ggml_backend_graph_compute_async(backend_.get(), graph_), GGML_STATUS_SUCCESS);
    EXPECT_EQ(host_.count(Command::kRunGraph), 1);
    EXPECT_TRUE(abortable());
    EXPECT_GT(asked_, 1);
    EXPECT_EQ(host_.fake.aborted_until(), 0U);
}

TEST_F(AbortTest, WithoutACallbackNothingIsAbortableAndNothingWaits) {
    for (int i = 0; i < 2; ++i) {
        host_.fake.serves_rings = false;
        EXPECT_EQ(ggml_backend_graph_compute_async(backend_.get(), graph_), GGML_STATUS_SUCCESS);
        EXPECT_EQ(host_.count(Command::kRunGraph), i) << "it is queued";
        host_.fake.serves_rings = true;
        ggml_backend_synchronize(backend_.get());
        EXPECT_FALSE(abortable());
        // The same for one that was taken away again.
        set_callback(is_unwanted);
        set_callback(nullptr);
    }
    EXPECT_EQ(asked_, 0);
}

TEST_F(AbortTest, ALostHostIsNoticed) {
    set_callback(is_unwanted);
    limit_ = INT32_MAX;
    stop_host();
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_FAILED);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("compute worker died"));
}

}  // namespace
}  // namespace virtgpu::frontend
