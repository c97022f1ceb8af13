#include "backend/validate/graph.h"

#include <gtest/gtest.h>

#include "tests/unit/backend/validate/vocabulary_fixture.h"

namespace virtgpu::validate {
namespace {

class GraphTest : public ::testing::Test {
 protected:
    Result<ValidGraph> check(std::vector<protocol::GraphTensor> tensors,
                             std::vector<uint32_t> nodes) {
        return check_graph(checker_.validator, {std::move(tensors), std::move(nodes)});
    }

    Checker checker_;
    const protocol::GraphTensor leaf_ = small_node(kNone, {});
};

TEST_F(GraphTest, AcceptsAndTurnsReferencesIntoPositions) {
    const auto graph =
        check({leaf_, leaf_, small_node(kAdd, {1, 2}), small_node(kAdd, {3, 1})}, {2, 3});
    ASSERT_TRUE(graph) << graph.error().message();
    EXPECT_EQ(graph->tensors[3].sources[0], 2U);
    EXPECT_EQ(graph->tensors[3].sources[1], 0U);
    EXPECT_EQ(graph->tensors[3].sources[2], std::nullopt);
    EXPECT_EQ(graph->nodes, (std::vector<uint32_t>{2, 3}));
}

TEST_F(GraphTest, AnEmptyGraphIsOne) {
    EXPECT_EQ(outcome(check({}, {})), "valid");
}

// Computed once more on memory that was reused, these broke llama.cpp's split models.
TEST_F(GraphTest, WhatIsNoNodeBecomesALeaf) {
    const auto graph = check({leaf_, small_node(kAdd, {1, 1}), small_node(kAdd, {2, 1})}, {2});
    ASSERT_TRUE(graph);
    EXPECT_EQ(graph->tensors[1].tensor.op, kNone);
    EXPECT_EQ(graph->tensors[1].tensor.kind, OpKind::kNone);
    EXPECT_EQ(graph->tensors[1].sources[0], std::nullopt);
}

TEST_F(GraphTest, MarksResultsThatOtherPartsUse) {
    auto used = small_node(kAdd, {1, 1});
    used.use_count = 2;
    EXPECT_TRUE(check({leaf_, used, small_node(kAdd, {2, 1})}, {1, 2})->tensors[1].used_outside);
    EXPECT_FALSE(check({leaf_, used, small_node(kAdd, {2, 2})}, {1, 2})->tensors[1].used_outside);
}

TEST_F(GraphTest, CyclesAndReferencesForward) {
    EXPECT_EQ(outcome(check({small_node(kAdd, {1, 1})}, {0})), "peer");
    EXPECT_EQ(outcome(check({small_node(kAdd, {2, 2}), small_node(kAdd, {1, 1})}, {0, 1})), "peer");
    EXPECT_EQ(outcome(check({leaf_, small_node(kAdd, {1, 9})}, {1})), "peer");
    EXPECT_EQ(outcome(check({leaf_, small_node(kAdd, {1, UINT32_MAX})}, {1})), "peer");
}

// ggml issue 25299: a node of nothing.
TEST_F(GraphTest, Issue25299NodesThatAreNone) {
    const auto add = small_node(kAdd, {1, 1});
    EXPECT_EQ(outcome(check({leaf_, add}, {2})), "peer");
    EXPECT_EQ(outcome(check({leaf_, add}, {1, 1})), "peer");
    EXPECT_EQ(outcome(check({leaf_, add, add}, {2, 1})), "peer");
    EXPECT_EQ(outcome(check({}, {0})), "peer");
}

TEST_F(GraphTest, MissingSources) {
    EXPECT_EQ(outcome(check({leaf_, small_node(kAdd, {1})}, {1})), "refused");
    EXPECT_EQ(outcome(check({leaf_, small_node(kMulMat, {0, 1})}, {1})), "refused");
}

// CVE-2026-34159 in a graph.
TEST_F(GraphTest, Cve202634159ATensorWithoutBuffer) {
    auto add = small_node(kAdd, {1, 1});
    add.tensor.buffer = {};
    EXPECT_EQ(outcome(check({leaf_, add}, {1})), "peer");
}

protocol::GraphTensor view_of_first(uint64_t offset) {
    auto view = small_node(kView, {1});
    view.tensor.ne = {8, 1, 1, 1};
    view.tensor.nb = {4, 32, 32, 32};
    view.tensor.data_offset = offset;
    view.view_source = 1;
    view.view_offset = offset;
    return view;
}

TEST_F(GraphTest, ViewsLieInWhatTheyView) {
    EXPECT_EQ(outcome(check({leaf_, view_of_first(96)}, {1})), "valid");
    EXPECT_EQ(outcome(check({leaf_, view_of_first(97)}, {1})), "refused");
    auto view = view_of_first(0);
    view.view_offset = UINT64_MAX;
    EXPECT_EQ(outcome(check({leaf_, view}, {1})), "refused");
}

// llama.cpp asks for no results of most parts of a prompt: the last layer then has no rows, and its
// views of experts still begin each at its own offset.
TEST_F(GraphTest, ViewWithoutElementsMayBeginAnywhere) {
    auto empty = leaf_;
    empty.tensor.ne[1] = 0;
    auto view = view_of_first(64);
    view.tensor.ne = {8, 0, 1, 1};
    const auto checked = check({empty, view}, {1});
    ASSERT_TRUE(checked) << checked.error().message();
    EXPECT_EQ(checked->tensors[1].view_source, 0U);
    auto far = view;
    far.tensor.buffer = {};
    far.view_offset = UINT64_MAX;
    EXPECT_EQ(outcome(check({empty, far}, {1})), "refused") << "behind the buffer";
    view.tensor.ne[1] = 1;
    EXPECT_EQ(outcome(check({empty, view}, {1})), "refused");
}

TEST_F(GraphTest, ViewsLieWhereTheySay) {
    auto view = view_of_first(32);
    view.tensor.data_offset = 64;
    EXPECT_EQ(outcome(check({leaf_, view}, {1})), "peer");
    view = view_of_first(32);
    view.tensor.buffer = {1, 1};
    EXPECT_EQ(outcome(check({leaf_, view}, {1})), "peer");
}

TEST_F(GraphTest, ViewsOfViewsAndOfThemselves) {
    auto second = view_of_first(0);
    second.source[0] = 2;
    second.view_source = 2;
    EXPECT_EQ(outcome(check({leaf_, view_of_first(0), second}, {1, 2})), "peer");
    auto self = view_of_first(0);
    self.view_source = 2;
    EXPECT_EQ(outcome(check({leaf_, self}, {1})), "peer");
}

TEST_F(GraphTest, DescriptionsOfNodesNeedNoBuffers) {
    auto leaf = leaf_;
    leaf.tensor.buffer = {};
    auto add = small_node(kAdd, {1, 1});
    add.tensor.buffer = {};
    const auto bundle = check_bundle(checker_.validator, {leaf, add});
    ASSERT_TRUE(bundle) << bundle.error().message();
    EXPECT_EQ(bundle->tensors.back().tensor.op, kAdd);
    EXPECT_FALSE(bundle->tensors.back().tensor.place);
    EXPECT_EQ(outcome(check_bundle(checker_.validator, {})), "peer");
}

TEST_F(GraphTest, PlacedTensorsBringOnlyWhatTheyView) {
    auto unplaced = leaf_;
    unplaced.tensor.buffer = {};
    auto view = view_of_first(32);
    view.view_source = 2;
    const auto placed = check_placed_tensor(checker_.validator, {unplaced, leaf_, view});
    ASSERT_TRUE(placed) << placed.error().message();
    ASSERT_EQ(placed->tensors.size(), 2U);
    EXPECT_EQ(placed->tensors[1].view_source, 0U);
    EXPECT_EQ(placed->tensors[1].tensor.place->offset, 32U);
    EXPECT_EQ(outcome(check_placed_tensor(checker_.validator, {unplaced})), "peer");
    EXPECT_EQ(outcome(check_placed_tensor(checker_.validator, {})), "peer");
}

}  // namespace
}  // namespace virtgpu::validate
