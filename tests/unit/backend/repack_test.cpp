// Weights that the host repacks give bit for bit what ggml gives with weights that were loaded
// repacked, and stay as true to what the guest wrote.
#include <gtest/gtest.h>

#include <optional>

#include "backend/copy_types.h"
#include "tests/unit/backend/compute_fixture.h"

namespace virtgpu::backend {
namespace {

constexpr uint32_t kWeightsRegion = 8;
constexpr uint64_t kWeightsRegionBytes = uint64_t{1} << 20;
// Of 256 weights of Q4_0.
constexpr size_t kRowBytes = 144;

ggml_tensor* new_weights(ggml_context* context) {
    ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_Q4_0, 256, 64);
    ggml_set_name(weights, "weights");
    return weights;
}

ggml_tensor* product(ggml_context* context) {
    ggml_tensor* const weights = new_weights(context);
    return ggml_mul_mat(context, weights, ggml_new_tensor_2d(context, GGML_TYPE_F32, 256, 5));
}

// The embeddings are the output's weights as well.
ggml_tensor* tied(ggml_context* context) {
    ggml_tensor* const weights = new_weights(context);
    ggml_tensor* const tokens = ggml_new_tensor_1d(context, GGML_TYPE_I32, 7);
    return ggml_mul_mat(context, weights, ggml_get_rows(context, weights, tokens));
}

ggml_tensor* product_of_experts(ggml_context* context) {
    ggml_tensor* const experts = ggml_new_tensor_3d(context, GGML_TYPE_Q4_0, 256, 64, 4);
    ggml_set_name(experts, "weights");
    ggml_tensor* const input = ggml_new_tensor_3d(context, GGML_TYPE_F32, 256, 2, 6);
    return ggml_mul_mat_id(context, experts, input,
                           ggml_new_tensor_2d(context, GGML_TYPE_I32, 2, 6));
}

bool multiplies(const ggml_tensor& node) {
    return node.op == GGML_OP_MUL_MAT || node.op == GGML_OP_MUL_MAT_ID;
}

// A tensor as llama.cpp loads it when it repacks. Null data where ggml does not on this machine.
class LoadedRepacked {
 public:
    explicit LoadedRepacked(const ggml_tensor& node) : tensor_(*node.src[0]) {
        ggml_backend_dev_t const device = ggml_backend_dev_by_name("CPU");
        const CopyTypes types = CopyTypes::of(device);
        ggml_backend_buffer_type_t const type = types.best_for(node);
        if (type == nullptr)
            return;
        buffer_ = ggml_backend_buft_alloc_buffer(
            type, ggml_backend_buft_get_alloc_size(type, node.src[0]));
        tensor_.buffer = nullptr;
        tensor_.data = nullptr;
        ggml_backend_tensor_alloc(buffer_, &tensor_, ggml_backend_buffer_get_base(buffer_));
        ggml_backend_tensor_set(&tensor_, node.src[0]->data, 0, ggml_nbytes(&tensor_));
    }
    ~LoadedRepacked() { ggml_backend_buffer_free(buffer_); }
    LoadedRepacked(const LoadedRepacked&) = delete;
    LoadedRepacked& operator=(const LoadedRepacked&) = delete;

    ggml_tensor* tensor() { return buffer_ == nullptr ? nullptr : &tensor_; }

 private:
    ggml_tensor tensor_;
    ggml_backend_buffer_t buffer_ = nullptr;
};

class RepackTest : public ComputeTest {
 protected:
    void SetUp() override {
        ComputeTest::SetUp();
        regions->regions[kWeightsRegion] = make_region(kWeightsRegionBytes);
    }

    // Puts the weights, which are the first tensor, into a buffer of their own.
    void start(ggml_tensor* (*build)(ggml_context*), protocol::Handle weights) {
        native_.emplace(build);
        weights_ = weights;
        others_ = alloc(native_->size());
        ASSERT_TRUE(control.set_buffer_usage({weights_, GGML_BACKEND_BUFFER_USAGE_WEIGHTS}));
        write(others_, {native_->bytes(), native_->size()});
        write(weights_, original());
    }
    void start(ggml_tensor* (*build)(ggml_context*)) { start(build, alloc(kWeightsRegionBytes)); }

    // As the guest wrote it last.
    std::span<std::byte> original() {
        ggml_tensor& tensor = weights();
        return {static_cast<std::byte*>(tensor.data), ggml_nbytes(&tensor)};
    }

    ggml_tensor& weights() { return *product_node().src[0]; }

    ggml_tensor& product_node() {
        int i = 0;
        while (!multiplies(*ggml_graph_node(native_->graph, i)))
            ++i;
        return *ggml_graph_node(native_->graph, i);
    }

    protocol::Graph graph() const {
        protocol::Graph graph = native_->describe(others_);
        graph.tensors[0].tensor.buffer = weights_;
        graph.tensors[0].tensor.data_offset = 0;
        return graph;
    }

    std::vector<std::byte> remotely() {
        EXPECT_TRUE(stream.run_graph({1})) << stream.last_message;
        const uint64_t offset = native_->offset_of(native_->result);
        const auto all = read(others_, native_->size());
        const auto* const first = all.data() + offset;
        return {first, first + ggml_nbytes(native_->result)};
    }

    std::vector<std::byte> natively() {
        EXPECT_EQ(native_->compute(), GGML_STATUS_SUCCESS);
        const auto* const first = static_cast<std::byte*>(native_->result->data);
        return {first, first + ggml_nbytes(native_->result)};
    }

    std::vector<std::byte> natively_repacked() {
        LoadedRepacked repacked(product_node());
        if (repacked.tensor() == nullptr)
            return natively();
        ggml_tensor* const original = std::exchange(product_node().src[0], repacked.tensor());
        auto result = natively();
        product_node().src[0] = original;
        return result;
    }

    // How often ggml says that it repacks.
    size_t repacked() const {
        const std::string text = log.text();
        size_t count = 0;
        for (size_t at = text.find("repack tensor weights"); at != std::string::npos;
             at = text.find("repack tensor weights", at + 1))
            ++count;
        return count;
    }

    bool repacks_here() {
        return CopyTypes::of(ggml_backend_dev_by_name("CPU")).best_for(product_node()) != nullptr;
    }

    void expect_that_of_repacked_weights(ggml_tensor* (*build)(ggml_context*)) {
        start(build);
        ASSERT_TRUE(define(1, graph()));
        const auto remote = remotely();
        EXPECT_EQ(repacked(), repacks_here() ? 1U : 0U);
        EXPECT_EQ(remote, natively_repacked());
        EXPECT_EQ(remotely(), remote);
    }

    // That a change by the given way reaches the result, beside one that was computed before.
    void expect_change_is_seen(const std::function<void(std::span<const std::byte>)>& change) {
        ASSERT_TRUE(define(1, graph()));
        const auto before = remotely();
        const auto bytes = original();
        std::rotate(bytes.begin(), bytes.begin() + kRowBytes, bytes.end());
        change(bytes);
        const auto after = remotely();
        EXPECT_NE(after, before);
        EXPECT_EQ(after, natively_repacked());
    }

    std::optional<NativeGraph> native_;
    protocol::Handle weights_;
    protocol::Handle others_;
};

TEST_F(RepackTest, AProduct) {
    expect_that_of_repacked_weights(product);
}

TEST_F(RepackTest, AProductOfExperts) {
    expect_that_of_repacked_weights(product_of_experts);
}

TEST_F(RepackTest, TheOriginalIsReadWhereARowIsTaken) {
    expect_that_of_repacked_weights(tied);
}

TEST_F(RepackTest, GuestsAreToldAndTwoGraphsShareACopy) {
    start(product);
    EXPECT_EQ(host_->devices().front().copies_weights, repacks_here());
    ASSERT_TRUE(define(1, graph()));
    ASSERT_TRUE(define(2, graph()));
    const auto first = remotely();
    ASSERT_TRUE(stream.run_graph({2}));
    EXPECT_EQ(repacked(), repacks_here() ? 1U : 0U);
}

TEST_F(RepackTest, SetTensorReachesTheCopy) {
    start(product);
    expect_change_is_seen([this](auto bytes) { write(weights_, bytes); });
}

TEST_F(RepackTest, SetTensorOfAStreamReachesTheCopy) {
    start(product);
    expect_change_is_seen([this](auto bytes) {
        ASSERT_TRUE(data().copy_in(0, bytes));
        ASSERT_TRUE(
            stream.set_tensor({all_of(weights_, bytes.size()), 0, {kDataRegion, 0, bytes.size()}}));
    });
}

TEST_F(RepackTest, CopyTensorReachesTheCopy) {
    start(product);
    expect_change_is_seen([this](auto bytes) {
        const protocol::Handle other = alloc(bytes.size());
        write(other, bytes);
        ASSERT_TRUE(
            control.copy_tensor({all_of(other, bytes.size()), all_of(weights_, bytes.size())}));
    });
}

TEST_F(RepackTest, MemsetTensorReachesTheCopy) {
    start(product);
    expect_change_is_seen([this](auto bytes) {
        std::fill(original().begin(), original().begin() + kRowBytes, std::byte{1});
        write(weights_, bytes);
        ASSERT_TRUE(stream.run_graph({1}));
        ASSERT_TRUE(control.memset_tensor({all_of(weights_, bytes.size()), 0, kRowBytes, 1}));
    });
}

TEST_F(RepackTest, ClearBufferReachesTheCopy) {
    start(product);
    expect_change_is_seen([this](auto) {
        std::fill(original().begin(), original().end(), std::byte{1});
        ASSERT_TRUE(control.clear_buffer({weights_, 1}));
    });
}

TEST_F(RepackTest, WhatTheGuestWritesIntoASharedBufferReachesTheCopy) {
    const auto shared = control.share_buffer({0, {kWeightsRegion, 0, kWeightsRegionBytes}});
    ASSERT_TRUE(shared);
    start(product, shared->buffer);
    expect_change_is_seen([this](auto bytes) {
        ASSERT_TRUE(regions->regions[kWeightsRegion]->copy_in(0, bytes));
        // Only a part of it, so that it is not the whole that is looked for.
        ASSERT_TRUE(control.changed_buffer({weights_, 18, 18}));
    });
}

TEST_F(RepackTest, WithoutItsUsageABufferHasNoCopies) {
    start(product);
    ASSERT_TRUE(define(1, graph()));
    EXPECT_EQ(remotely(), natively_repacked());
    ASSERT_TRUE(control.set_buffer_usage({weights_, GGML_BACKEND_BUFFER_USAGE_ANY}));
    EXPECT_EQ(remotely(), natively());
}

TEST_F(RepackTest, WeightsThatAGraphComputesAreNotCopied) {
    start(product);
    ASSERT_TRUE(define(1, graph()));
    EXPECT_EQ(remotely(), natively_repacked());
    // The product comes to lie behind the weights in their buffer.
    protocol::Graph writing = graph();
    writing.tensors.back().tensor.buffer = weights_;
    writing.tensors.back().tensor.data_offset = kWeightsRegionBytes / 2;
    ASSERT_TRUE(define(2, writing));
    EXPECT_EQ(remotely(), natively());
    ASSERT_TRUE(control.set_buffer_usage({weights_, GGML_BACKEND_BUFFER_USAGE_WEIGHTS}));
    ASSERT_TRUE(define(3, graph()));
    ASSERT_TRUE(stream.run_graph({3}));
    EXPECT_EQ(remotely(), natively());
}

TEST_F(RepackTest, AFreedBufferEndsTheGraphAsEver) {
    start(product);
    ASSERT_TRUE(define(1, graph()));
    static_cast<void>(remotely());
    ASSERT_TRUE(control.free_buffer({weights_}));
    EXPECT_FALSE(stream.run_graph({1}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

class NoRepackTest : public RepackTest {
 protected:
    NoRepackTest() { repack_ = false; }
};

TEST_F(NoRepackTest, TheOriginalIsUsed) {
    start(product);
    EXPECT_FALSE(host_->devices().front().copies_weights);
    ASSERT_TRUE(define(1, graph()));
    EXPECT_EQ(remotely(), natively());
    EXPECT_EQ(repacked(), 0U);
}

}  // namespace
}  // namespace virtgpu::backend
