#include "frontend/graph_forecast.h"

#include <gtest/gtest.h>

#include "ggml_private/graph_layout.h"
#include "tests/unit/frontend/one_buffer.h"

namespace virtgpu::frontend {
namespace {

// Never looked into: the placer of these tests knows all.
ggml_backend_buffer* const kSomeBuffer = reinterpret_cast<ggml_backend_buffer*>(0x1000);

class GraphForecastTest : public testing::Test {
 protected:
    GraphForecastTest() {
        give_place(weight_);
        expected_ = build();
        EXPECT_TRUE(forecast_.expect(*expected_, 0));
    }

    ggml_cgraph* build() {
        view_ = ggml_view_1d(context_.get(), input_, 4, 16);
        product_ = ggml_mul(context_.get(), view_, weight_);
        ggml_cgraph* const graph = ggml_new_graph(context_.get());
        ggml_build_forward_expand(graph, product_);
        return graph;
    }

    // As ggml's allocator does it.
    void give_place(ggml_tensor* tensor) {
        tensor->buffer = kSomeBuffer;
        const TensorPlace place = *placer_.place(*tensor);
        tensor->data = reinterpret_cast<void*>(0x10000 + place.offset);
        forecast_.note_place(*tensor, place);
    }

    void give_all_places() {
        for (ggml_tensor* tensor : {input_, view_, product_})
            give_place(tensor);
    }

    std::unique_ptr<ggml_context, test::ContextDeleter> context_{
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
    const ggml_private::GraphInternals internals_;
    test::OneBuffer placer_;
    GraphForecast forecast_{placer_, internals_};
    ggml_tensor* const weight_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 4);
    ggml_tensor* const input_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* view_ = nullptr;
    ggml_tensor* product_ = nullptr;
    ggml_cgraph* expected_ = nullptr;
};

TEST_F(GraphForecastTest, WhatWasEncodedMeanwhileIsWhatWouldBeEncodedNow) {
    give_all_places();
    const protocol::Graph* const early = forecast_.take(0);
    ASSERT_NE(early, nullptr);
    GraphEncoder encoder(&placer_);
    ASSERT_TRUE(encoder.encode(*expected_, internals_));
    EXPECT_EQ(*early, encoder.graph());
    EXPECT_TRUE(forecast_.foretold(*expected_, 0));
}

TEST_F(GraphForecastTest, IsTakenOnceAndWhenAllHasAPlace) {
    EXPECT_EQ(forecast_.take(0), nullptr);
    give_place(input_);
    give_place(view_);
    EXPECT_EQ(forecast_.take(0), nullptr) << "the product has none";
    give_place(product_);
    EXPECT_NE(forecast_.take(0), nullptr);
    EXPECT_EQ(forecast_.take(0), nullptr);
}

TEST_F(GraphForecastTest, WhatWasNotTakenIsNotForetold) {
    give_all_places();
    EXPECT_FALSE(forecast_.foretold(*expected_, 0));
}

TEST_F(GraphForecastTest, AnythingThatChangesAfterwardsIsNotForetold) {
    give_all_places();
    ASSERT_NE(forecast_.take(0), nullptr);
    for (ggml_tensor* tensor : {weight_, input_, view_, product_}) {
        tensor->op_params[3] ^= 1;
        EXPECT_FALSE(forecast_.foretold(*expected_, 0));
        tensor->op_params[3] ^= 1;
    }
    EXPECT_TRUE(forecast_.foretold(*expected_, 0));
    forecast_.forget();
    EXPECT_FALSE(forecast_.foretold(*expected_, 0));
}

TEST_F(GraphForecastTest, AnotherGraphOfTheSameTensorsIsNotForetold) {
    give_all_places();
    ASSERT_NE(forecast_.take(0), nullptr);
    EXPECT_FALSE(forecast_.foretold(*build(), 0));
    ggml_cgraph* const shorter = ggml_new_graph(context_.get());
    ggml_build_forward_expand(shorter, view_);
    EXPECT_FALSE(forecast_.foretold(*shorter, 0));
}

// The host keeps results that other parts of a graph read.
TEST_F(GraphForecastTest, AGraphWhoseResultsAreUsedMoreIsNotForetold) {
    if (!internals_.available())
        GTEST_SKIP() << "this ggml's graphs are unknown";
    give_all_places();
    ASSERT_NE(forecast_.take(0), nullptr);
    ggml_cgraph* const larger = ggml_new_graph(context_.get());
    ggml_build_forward_expand(larger, product_);
    EXPECT_TRUE(forecast_.foretold(*larger, 0));
    ggml_build_forward_expand(larger, ggml_neg(context_.get(), product_));
    ggml_cgraph part = *larger;
    part.n_nodes = 2;
    EXPECT_FALSE(forecast_.foretold(part, 0));
}

TEST_F(GraphForecastTest, FreedBuffersMakeItUseless) {
    give_all_places();
    EXPECT_EQ(forecast_.take(1), nullptr);
    ASSERT_NE(forecast_.take(0), nullptr);
    EXPECT_FALSE(forecast_.foretold(*expected_, 1));
}

// A graph that is only planned is never given places, and its memory is used for other tensors.
TEST_F(GraphForecastTest, AnotherTensorAtTheAddressEndsIt) {
    product_->op_params[0] = 7;
    give_all_places();
    EXPECT_EQ(forecast_.take(0), nullptr);
}

// The host would hold it against us.
TEST_F(GraphForecastTest, AViewElsewhereThanItsSourceIsNotTaken) {
    give_all_places();
    forecast_.note_place(*input_, {placer_.handle, 1024, test::OneBuffer::kBufferBytes});
    EXPECT_EQ(forecast_.take(0), nullptr);
}

TEST_F(GraphForecastTest, TensorsThatTheGraphDoesNotNameChangeNothing) {
    give_place(ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 2));
    give_all_places();
    EXPECT_NE(forecast_.take(0), nullptr);
}

}  // namespace
}  // namespace virtgpu::frontend
