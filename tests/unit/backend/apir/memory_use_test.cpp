#include "backend/apir/memory_use.h"

#include <ggml.h>
#include <gtest/gtest.h>

#include "backend/apir/forward_graph.h"
#include "backend/apir/forward_vocabulary.h"
#include "backend/ggml_vocabulary.h"

namespace virtgpu::backend {
namespace {

constexpr uint64_t kBytes = 16 * sizeof(float);

// Graphs of rows of 16 floats in one buffer.
class MemoryUseTest : public ::testing::Test {
 protected:
    // A tensor at place number `place`; returns the reference to it.
    uint32_t leaf(uint64_t place) { return add(GGML_OP_NONE, place, {}); }
    uint32_t node(uint64_t place, std::vector<uint32_t> sources, ggml_op op = GGML_OP_ADD) {
        const uint32_t reference = add(op, place, sources);
        graph.nodes.push_back(reference - 1);
        return reference;
    }
    int32_t uses(uint32_t reference) const { return graph.tensors[reference - 1].use_count; }
    bool may_reorder(std::vector<uint32_t> references) const {
        for (uint32_t& reference : references)
            --reference;
        return backend::may_reorder(graph, references, vocabulary).value();
    }
    void count() { ASSERT_TRUE(count_uses(graph, vocabulary)); }

    validate::Vocabulary vocabulary = forward_vocabulary(read_ggml_vocabulary()).value();
    protocol::Graph graph;

 private:
    uint32_t add(ggml_op op, uint64_t place, const std::vector<uint32_t>& sources) {
        protocol::GraphTensor tensor;
        tensor.tensor.type = GGML_TYPE_F32;
        tensor.tensor.op = op;
        tensor.tensor.ne = {16, 1, 1, 1};
        tensor.tensor.nb = {4, kBytes, kBytes, kBytes};
        tensor.tensor.buffer = {1, 1};
        tensor.tensor.data_offset = place * kBytes;
        std::copy(sources.begin(), sources.end(), tensor.source.begin());
        graph.tensors.push_back(tensor);
        return static_cast<uint32_t>(graph.tensors.size());
    }
};

TEST_F(MemoryUseTest, Upstream54WhatIsWrittenOverIsNeededByNobodyElse) {
    const uint32_t input = leaf(0);
    const uint32_t norm = node(1, {input}, GGML_OP_RMS_NORM);
    const uint32_t product = node(1, {norm, input}, GGML_OP_MUL);
    count();
    EXPECT_EQ(uses(input), 2);
    EXPECT_EQ(uses(norm), 1) << "may be fused";
    EXPECT_EQ(uses(product), 1) << "somebody else may read it";
}

TEST_F(MemoryUseTest, WhatStaysMayBeNeededByOthers) {
    const uint32_t input = leaf(0);
    const uint32_t norm = node(1, {input}, GGML_OP_RMS_NORM);
    node(2, {norm, input}, GGML_OP_MUL);
    count();
    EXPECT_EQ(uses(norm), 2);
}

TEST_F(MemoryUseTest, WhatIsChangedThroughAViewStays) {
    const uint32_t input = leaf(0);
    const uint32_t sum = node(1, {input, input});
    const uint32_t changed = node(1, {sum, input}, GGML_OP_SET);
    graph.tensors[changed - 1].view_source = sum;
    count();
    EXPECT_EQ(uses(sum), 2);
}

TEST_F(MemoryUseTest, PartOfAResultThatIsWrittenOverIsEnough) {
    const uint32_t input = leaf(0);
    const uint32_t sum = node(1, {input, input});
    const uint32_t other = node(2, {sum, input});
    graph.tensors[other - 1].tensor.data_offset = 1 * kBytes + 4;
    count();
    EXPECT_EQ(uses(sum), 1);
    graph.tensors[other - 1].tensor.buffer = {2, 1};
    graph.tensors[sum - 1].use_count = graph.tensors[other - 1].use_count = 0;
    graph.tensors[input - 1].use_count = 0;
    count();
    EXPECT_EQ(uses(sum), 2) << "in another buffer";
}

TEST_F(MemoryUseTest, IndependentNodesMayChangePlaces) {
    const uint32_t input = leaf(0);
    const uint32_t one = node(1, {input, input});
    const uint32_t two = node(2, {input, input});
    EXPECT_TRUE(may_reorder({one, two}));
    EXPECT_TRUE(may_reorder({two, one}));
    EXPECT_FALSE(may_reorder({one}));
    EXPECT_FALSE(may_reorder({one, one}));
}

TEST_F(MemoryUseTest, ANodeStaysBehindWhatItReads) {
    const uint32_t input = leaf(0);
    const uint32_t one = node(1, {input, input});
    const uint32_t two = node(2, {one, input});
    EXPECT_FALSE(may_reorder({two, one}));
}

TEST_F(MemoryUseTest, ANodeStaysBehindWhatReadsItsMemory) {
    const uint32_t input = leaf(0);
    const uint32_t one = node(1, {input, input});
    const uint32_t two = node(2, {one, input});
    const uint32_t three = node(1, {input, input});  // where `one` was
    EXPECT_TRUE(may_reorder({one, two, three}));
    EXPECT_FALSE(may_reorder({one, three, two}));
    EXPECT_FALSE(may_reorder({three, one, two}));
}

TEST_F(MemoryUseTest, WhatIsLeftInMemoryStaysTheSame) {
    const uint32_t input = leaf(0);
    const uint32_t one = node(1, {input, input});
    const uint32_t two = node(1, {input, input});
    EXPECT_FALSE(may_reorder({two, one}));
}

// Upstream sends the lower halves of strides.
TEST(ForwardGraph, Upstream559StridesOf4GiBAndMore) {
    const auto vocabulary = forward_vocabulary(read_ggml_vocabulary()).value();
    protocol::ForwardTensor tensor;
    tensor.type = GGML_TYPE_F32;
    tensor.ne = {4096, 4096, 128, 1};
    tensor.nb = {4, 4 * 4096, 4 * 4096 * 4096, 0};  // the last is 8 GiB
    const auto data = data_of(tensor, 0, vocabulary);
    EXPECT_EQ(data.nb, (std::array<uint64_t, 4>{4, 16384, 67108864, uint64_t{8} << 30}));
    // Quantised: 128 experts of 8,192 rows.
    tensor.type = GGML_TYPE_Q8_0;
    tensor.ne = {8192, 8192, 128, 1};
    tensor.nb = {34, 8704, 71303168, static_cast<uint32_t>(uint64_t{71303168} * 128)};
    EXPECT_EQ(data_of(tensor, 0, vocabulary).nb[3], uint64_t{71303168} * 128);
    // A view has what it says.
    tensor.nb = {34, 8704, 71303168 + 8704, 0};
    EXPECT_EQ(data_of(tensor, 0, vocabulary).nb[3], 0U);
}

}  // namespace
}  // namespace virtgpu::backend
