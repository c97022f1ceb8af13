#include "frontend/answer_memo.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {
namespace {

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};

class NodeKeyTest : public testing::Test {
 protected:
    // A node with sources of its own, changed by `change`.
    std::string key(const std::function<void(ggml_tensor&)>& change = [](ggml_tensor&) {}) {
        ggml_context* const context = context_.get();
        ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_F16, 64, 32);
        ggml_tensor* const input = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 5);
        ggml_tensor* const node = ggml_mul_mat(context, weights, input);
        change(*node);
        return node_key(*node);
    }

    std::unique_ptr<ggml_context, ContextDeleter> context_{
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
};

TEST_F(NodeKeyTest, SameQuestionSameKey) {
    EXPECT_EQ(key(), key());
    // Neither addresses nor names belong to the question.
    EXPECT_EQ(key(), key([](ggml_tensor& node) {
                  ggml_set_name(&node, "layer 7");
                  node.data = &node;
              }));
}

TEST_F(NodeKeyTest, WhatTheAnswerDependsOnIsInTheKey) {
    ggml_backend_buffer buffer{};
    ggml_backend_buffer_type type{};
    buffer.buft = &type;
    const std::vector<std::function<void(ggml_tensor&)>> changes = {
        [](ggml_tensor& node) { node.op = GGML_OP_OUT_PROD; },
        [](ggml_tensor& node) { node.op_params[15] = 1; },
        [](ggml_tensor& node) { node.type = GGML_TYPE_F16; },
        [](ggml_tensor& node) { node.ne[3] = 2; },
        [](ggml_tensor& node) { node.nb[2] += 4; },
        [](ggml_tensor& node) { node.flags |= GGML_TENSOR_FLAG_OUTPUT; },
        [](ggml_tensor& node) { node.src[0]->type = GGML_TYPE_Q8_0; },
        [](ggml_tensor& node) { node.src[1]->ne[1] = 6; },
        [](ggml_tensor& node) { node.src[1]->nb[1] *= 2; },
        [&](ggml_tensor& node) { node.src[0]->buffer = &buffer; },
        [](ggml_tensor& node) { node.src[1] = nullptr; },
        [](ggml_tensor& node) { node.src[1]->view_src = node.src[0]; },
        [](ggml_tensor& node) {
            node.src[1]->view_src = node.src[0];
            node.src[1]->view_offs = 128;
        },
        [this](ggml_tensor& node) {
            node.src[1]->view_src = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 320);
        },
        [this](ggml_tensor& node) {
            node.src[1]->view_src = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F16, 320);
        },
        [](ggml_tensor& node) { node.src[2] = node.src[1]; },
    };
    std::vector<std::string> keys = {key()};
    for (const auto& change : changes)
        keys.push_back(key(change));
    for (size_t i = 0; i < keys.size(); ++i)
        for (size_t j = i + 1; j < keys.size(); ++j)
            EXPECT_NE(keys[i], keys[j]) << i << " and " << j;
}

TEST(AnswerMemoTest, RemembersTheLatestAnswer) {
    AnswerMemo<int> memo;
    EXPECT_FALSE(memo.find("a"));
    memo.remember("a", 1);
    memo.remember("a", 2);
    memo.remember("b", 3);
    EXPECT_EQ(memo.find("a"), 2);
    EXPECT_EQ(memo.find("b"), 3);
}

TEST(AnswerMemoTest, AsksOnceAndAgainAfterAFailure) {
    AnswerMemo<bool> memo;
    const ggml_tensor node{};
    int asked = 0;
    const auto fails = [&]() -> wire::Result<bool> {
        ++asked;
        return wire::fail(wire::Fault::kRefused, "not now");
    };
    EXPECT_FALSE(memo.find_or_ask(node, fails));
    EXPECT_FALSE(memo.find_or_ask(node, fails));
    EXPECT_EQ(asked, 2);
    const auto answers = [&]() -> wire::Result<bool> { return ++asked > 0; };
    EXPECT_EQ(memo.find_or_ask(node, answers), true);
    EXPECT_EQ(memo.find_or_ask(node, answers), true);
    EXPECT_EQ(asked, 3);
}

TEST(AnswerMemoTest, IsBounded) {
    AnswerMemo<bool> memo;
    for (size_t i = 0; i < 3 * AnswerMemo<bool>::kMaxAnswers; ++i) {
        memo.remember(std::to_string(i), true);
        ASSERT_LE(memo.size(), AnswerMemo<bool>::kMaxAnswers);
        ASSERT_TRUE(memo.find(std::to_string(i)));
    }
}

}  // namespace
}  // namespace virtgpu::frontend
