#include "frontend/graph_table.h"

#include <gtest/gtest.h>

namespace virtgpu::frontend {
namespace {

using Step = GraphTable::Plan::Step;

protocol::Graph graph_of(uint32_t tensors, uint32_t name = 1) {
    protocol::Graph graph;
    graph.tensors.resize(tensors);
    for (uint32_t i = 0; i < tensors; ++i) {
        graph.tensors[i].tensor.ne = {i, 1, 1, 1};
        graph.tensors[i].tensor.name[0] = name;
        graph.nodes.push_back(i);
    }
    return graph;
}

class GraphTableTest : public testing::Test {
 protected:
    GraphTable::Plan add(protocol::Graph graph, uint64_t uid = 0, uint64_t freed = 0) {
        auto plan = table_.add(graph, uid, freed);
        EXPECT_TRUE(plan);
        return std::move(*plan);
    }

    GraphTable table_{{.graphs = 3, .tensors = 100}};
};

TEST_F(GraphTableTest, TheSameGraphIsKnownAgain) {
    const auto first = add(graph_of(10));
    EXPECT_EQ(first.step, Step::kDefine);
    EXPECT_EQ(table_.graph(first.number), graph_of(10));
    const auto second = add(graph_of(10));
    EXPECT_EQ(second.step, Step::kNothing);
    EXPECT_EQ(second.number, first.number);
}

TEST_F(GraphTableTest, AUidMayComeLater) {
    const uint32_t number = add(graph_of(10)).number;
    EXPECT_EQ(table_.find(17, 0), std::nullopt);
    table_.set_uid(number, 17);
    EXPECT_EQ(table_.find(17, 0), number);
}

TEST_F(GraphTableTest, TheBuffersOfAGraphAreThoseOfItsTensors) {
    const protocol::Handle weights{1, 1};
    const protocol::Handle cache{2, 1};
    auto graph = graph_of(10);
    graph.tensors[0].tensor.buffer = weights;
    graph.tensors[1].tensor.buffer = cache;
    graph.tensors[2].tensor.buffer = weights;
    const uint32_t number = add(graph).number;
    EXPECT_EQ(table_.buffers(number), (std::vector{weights, cache})) << "the others have none";
    graph.tensors[1].tensor.buffer = weights;
    EXPECT_EQ(add(graph).step, Step::kEdit);
    EXPECT_EQ(table_.buffers(number), std::vector{weights});
}

TEST_F(GraphTableTest, AChangedTensorIsAnEdit) {
    const auto first = add(graph_of(10));
    auto changed = graph_of(10);
    changed.tensors[4].tensor.data_offset = 64;
    const auto second = add(changed);
    EXPECT_EQ(second.step, Step::kEdit);
    EXPECT_EQ(second.number, first.number);
    ASSERT_EQ(second.edit.changes.size(), 1U);
    EXPECT_EQ(second.edit.changes[0].position, 4U);
    EXPECT_EQ(second.edit.changes[0].tensor, changed.tensors[4]);
    // The edit counts from now on.
    EXPECT_EQ(add(changed).step, Step::kNothing);
    EXPECT_EQ(add(graph_of(10)).step, Step::kEdit);
}

TEST_F(GraphTableTest, TheGraphWithTheFewestChangesIsEdited) {
    const auto first = add(graph_of(10));
    auto other = graph_of(10);
    for (size_t i = 0; i < 8; ++i)
        other.tensors[i].view_offset = 64;
    const auto second = add(other);
    EXPECT_EQ(second.step, Step::kDefine) << "8 of 10 changed";
    other.tensors[9].view_offset = 64;
    EXPECT_EQ(add(other).number, second.number);
    auto like_first = graph_of(10);
    like_first.tensors[0].view_offset = 1;
    EXPECT_EQ(add(like_first).number, first.number);
}

TEST_F(GraphTableTest, GraphsOfOtherNodesAreOthers) {
    add(graph_of(10));
    EXPECT_EQ(add(graph_of(11)).step, Step::kDefine);
    EXPECT_EQ(add(graph_of(10, 2)).step, Step::kDefine);
    auto fewer = graph_of(10);
    fewer.nodes.pop_back();
    EXPECT_EQ(add(fewer).step, Step::kDefine);
}

TEST_F(GraphTableTest, AUidIsEnoughUntilABufferIsFreed) {
    const auto plan = add(graph_of(10), 5, 1);
    EXPECT_EQ(table_.find(5, 1), plan.number);
    EXPECT_EQ(table_.find(5, 2), std::nullopt);
    EXPECT_EQ(table_.find(6, 1), std::nullopt);
    // Compared again, it is known for sure.
    EXPECT_EQ(add(graph_of(10), 5, 2).step, Step::kNothing);
    EXPECT_EQ(table_.find(5, 2), plan.number);
    add(graph_of(20), 0, 2);
    EXPECT_EQ(table_.find(0, 2), std::nullopt) << "0 is no uid";
}

TEST_F(GraphTableTest, TheLeastUsedGraphGoesFirst) {
    const auto first = add(graph_of(10), 1);
    const auto second = add(graph_of(11), 2);
    add(graph_of(12), 3);
    EXPECT_EQ(table_.find(1, 0), first.number);
    const auto fourth = add(graph_of(13), 4);
    EXPECT_EQ(fourth.to_be_dropped, std::vector<uint32_t>{second.number});
    EXPECT_EQ(table_.find(2, 0), std::nullopt);
    EXPECT_EQ(table_.find(1, 0), first.number);
    // By tensors: 10 + 12 + 13 are there.
    EXPECT_EQ(add(graph_of(90)).to_be_dropped.size(), 2U);
}

TEST_F(GraphTableTest, AGraphThatTheHostNeverTakes) {
    auto graph = graph_of(101);
    EXPECT_FALSE(table_.add(graph, 0, 0));
    EXPECT_EQ(graph.tensors.size(), 101U);
}

}  // namespace
}  // namespace virtgpu::frontend
