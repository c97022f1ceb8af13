// Which weights are copied, and for how long.
#include "backend/weight_copies.h"

#include <gtest/gtest.h>

#include "backend/cached_graph.h"
#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::backend {
namespace {

constexpr uint64_t kBufferBytes = uint64_t{1} << 20;
// Of 256 weights of Q4_0.
constexpr uint64_t kRowBytes = 144;
// The buffers of the fixture, graphs and copies.
constexpr uint64_t kMemoryLimit = 8 * kBufferBytes;

class WeightCopiesTest : public ::testing::Test {
 protected:
    void SetUp() override {
        CatalogueOptions options;
        options.backends = {"cpu"};
        catalogue_ = *Catalogue::load(options, log_);
        if (!catalogue_->copies_weights())
            GTEST_SKIP() << "ggml has one layout of weights here";
        session_ = std::make_unique<Session>(1, *catalogue_, std::make_shared<TestRegions>(),
                                             Limits(), std::chrono::microseconds(0), account_,
                                             std::make_shared<GraphUids>(0),
                                             /*trace=*/nullptr, log_);
        ASSERT_TRUE(session_->agree(
            *validate::Vocabulary::negotiate(catalogue_->vocabulary(), hello_of_this_ggml())));
        others_ = alloc();
        weights_ = alloc();
        weights().set_usage(GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    }

    protocol::Handle alloc() {
        return *session_->buffers().add(*Buffer::allocate(device(), kBufferBytes, account_));
    }
    ggml_backend_dev_t device() const { return *catalogue_->device(0); }
    Buffer& weights() { return **session_->buffers().find(weights_); }

    // A product with weights at `offset` of their buffer.
    std::unique_ptr<CachedGraph> build(int64_t columns, int64_t rows, uint64_t offset,
                                       ggml_type type = GGML_TYPE_Q4_0) {
        NativeGraph native([=](ggml_context* context) {
            ggml_tensor* const left = ggml_new_tensor_2d(context, type, columns, rows);
            ggml_set_name(left, "wei\nghts");
            return ggml_mul_mat(context, left,
                                ggml_new_tensor_2d(context, GGML_TYPE_F32, columns, 2));
        });
        protocol::Graph graph = native.describe(others_);
        graph.tensors[0].tensor.buffer = weights_;
        graph.tensors[0].tensor.data_offset = offset;
        auto cached = *CachedGraph::create(std::move(graph), account_);
        const auto built = cached->build(*session_, device());
        EXPECT_TRUE(built) << built.error().message();
        return cached;
    }

    // Whether the account has exactly this much left.
    bool has_left(uint64_t bytes) {
        if (account_->take(bytes + 1))
            return false;
        const bool enough = account_->take(bytes).has_value();
        if (enough)
            account_->give_back(bytes);
        return enough;
    }

    RecordingLog log_;
    std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>(kMemoryLimit);
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Session> session_;
    protocol::Handle others_;
    protocol::Handle weights_;
};

TEST_F(WeightCopiesTest, OneCopyForAllGraphs) {
    const auto first = build(256, 64, 0);
    const auto second = build(256, 64, 0);
    ASSERT_EQ(first->weights().size(), 1U);
    ASSERT_EQ(second->weights().size(), 1U);
    EXPECT_EQ(ggml_graph_node(first->built(), 0)->src[0],
              ggml_graph_node(second->built(), 0)->src[0]);
    EXPECT_STREQ(ggml_backend_buft_name(ggml_backend_buffer_get_type(
                     ggml_graph_node(first->built(), 0)->src[0]->buffer)),
                 ggml_backend_buft_name(catalogue_->copy_types(device()).best_for(
                     *ggml_graph_node(first->built(), 0))));
}

TEST_F(WeightCopiesTest, WeightsOfTypesAndShapesThatAreNotRepacked) {
    EXPECT_EQ(build(256, 64, 0, GGML_TYPE_F32)->weights().size(), 0U);
    EXPECT_EQ(build(256, 63, 0)->weights().size(), 0U);
}

TEST_F(WeightCopiesTest, OtherBuffersHaveNoCopies) {
    weights().set_usage(GGML_BACKEND_BUFFER_USAGE_COMPUTE);
    EXPECT_EQ(build(256, 64, 0)->weights().size(), 0U);
    weights().set_usage(GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    EXPECT_EQ(build(256, 64, 0)->weights().size(), 1U);
}

// A guest could have as many as it can think of shapes.
TEST_F(WeightCopiesTest, BytesAreCopiedOnce) {
    const auto one = build(256, 64, 4096);
    EXPECT_EQ(one->weights().size(), 1U);
    EXPECT_EQ(build(256, 32, 4096)->weights().size(), 0U);
    EXPECT_EQ(build(512, 64, 0)->weights().size(), 0U);
    EXPECT_EQ(build(256, 64, 4096 + kRowBytes)->weights().size(), 0U);
    EXPECT_EQ(build(256, 64, 4096 + 64 * kRowBytes)->weights().size(), 1U);
    EXPECT_EQ(build(256, 8, 0)->weights().size(), 1U);
}

TEST_F(WeightCopiesTest, CopiesGoWithTheirBuffer) {
    auto graph = build(256, 64, 0);
    ASSERT_EQ(graph->weights().size(), 1U);
    ASSERT_TRUE(session_->buffers().remove(weights_));
    graph = nullptr;
    EXPECT_TRUE(has_left(kMemoryLimit - kBufferBytes));
}

TEST_F(WeightCopiesTest, CopiesLiveWhileAGraphRunsWithThem) {
    const auto graph = build(256, 64, 0);
    std::vector<std::shared_ptr<const void>> held;
    EXPECT_TRUE(graph->weights().outdated());
    EXPECT_FALSE(graph->weights().bring_up_to_date(held));
    EXPECT_FALSE(graph->weights().outdated());
    const auto* const copy = ggml_graph_node(graph->built(), 0)->src[0];
    weights().forbid_copies();
    EXPECT_EQ(ggml_graph_node(graph->built(), 0)->src[0], copy);
    EXPECT_FALSE(has_left(kMemoryLimit - 2 * kBufferBytes));

    EXPECT_TRUE(graph->weights().outdated());
    std::vector<std::shared_ptr<const void>> next;
    EXPECT_TRUE(graph->weights().bring_up_to_date(next));
    EXPECT_EQ(graph->weights().size(), 0U);
    EXPECT_EQ(ggml_graph_node(graph->built(), 0)->src[0]->buffer, weights().get());
    EXPECT_FALSE(graph->weights().outdated());
}

// They are only faster; what is asked for now is needed.
TEST_F(WeightCopiesTest, CopiesAreGivenUpWhenTheirRoomIsNeeded) {
    const auto graph = build(256, 64, 0);
    ASSERT_EQ(graph->weights().size(), 1U);
    ASSERT_TRUE(account_->take(kMemoryLimit - 3 * kBufferBytes));
    std::vector<std::shared_ptr<const void>> running;
    EXPECT_FALSE(graph->weights().bring_up_to_date(running));
    EXPECT_FALSE(Buffer::allocate(device(), kBufferBytes - 8192, account_)) << "it computes";
    running.clear();
    const auto buffer = Buffer::allocate(device(), kBufferBytes - 8192, account_);
    EXPECT_TRUE(buffer) << buffer.error().message();

    EXPECT_TRUE(graph->weights().outdated());
    EXPECT_TRUE(graph->weights().bring_up_to_date(running));
    EXPECT_EQ(graph->weights().size(), 0U);
    EXPECT_EQ(ggml_graph_node(graph->built(), 0)->src[0]->buffer, weights().get());
    EXPECT_EQ(build(256, 64, 0)->weights().size(), 0U) << "there is no room for others";
}

TEST_F(WeightCopiesTest, OnlyWhatWasChangedIsCopiedAgain) {
    const auto first = build(256, 64, 0);
    const auto second = build(256, 64, kBufferBytes / 2);
    const auto fill = [&] {
        std::vector<std::shared_ptr<const void>> held;
        first->weights().bring_up_to_date(held);
    };
    fill();
    const size_t filled = log_.text().size();
    weights().mark_changed(64 * kRowBytes, 4096);
    weights().mark_changed(0, 0);
    fill();
    EXPECT_EQ(log_.text().size(), filled);
    EXPECT_FALSE(first->weights().outdated());
    weights().mark_changed(1, 1);
    EXPECT_TRUE(first->weights().outdated());
    EXPECT_EQ(log_.text().find("wei\n"), std::string::npos) << "the guest's name as it is";
}

TEST_F(WeightCopiesTest, WithoutRoomTheOriginalsAreUsed) {
    ASSERT_TRUE(account_->take(kMemoryLimit / 4 * 3 - 2 * kBufferBytes));
    EXPECT_EQ(build(256, 64, 0)->weights().size(), 0U);
    EXPECT_EQ(build(256, 64, kBufferBytes / 2)->weights().size(), 0U);
    const std::string text = log_.text();
    const size_t said = text.find("some weights are computed with where they lie");
    ASSERT_NE(said, std::string::npos) << text;
    EXPECT_EQ(text.find("some weights", said + 1), std::string::npos) << "said twice";
}

}  // namespace
}  // namespace virtgpu::backend
