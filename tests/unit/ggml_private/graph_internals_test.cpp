#include "ggml_private/graph_internals.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace virtgpu::ggml_private {
namespace {

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};

TEST(GraphInternalsTest, UsesAreReadFromThisGgmlsGraphs) {
    const GraphInternals internals;
    ASSERT_TRUE(internals.available());
    const std::unique_ptr<ggml_context, ContextDeleter> context(
        ggml_init({.mem_size = 4 << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_tensor* const start = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 8);
    ggml_cgraph* const graph = ggml_new_graph(context.get());
    std::vector<ggml_tensor*> nodes = {ggml_scale(context.get(), start, 2.0F)};
    for (int i = 0; i < 500; ++i)
        nodes.push_back(ggml_add(context.get(), nodes.back(), nodes.front()));
    ggml_build_forward_expand(graph, nodes.back());

    EXPECT_EQ(internals.uses(*graph, *nodes.front()), 501);
    for (size_t i = 1; i + 1 < nodes.size(); ++i)
        EXPECT_EQ(internals.uses(*graph, *nodes[i]), 1);
    EXPECT_EQ(internals.uses(*graph, *nodes.back()), 0);
    EXPECT_EQ(internals.uses(*graph, *ggml_scale(context.get(), start, 1.0F)), std::nullopt);
}

TEST(GraphInternalsTest, ANewGraphHasNoUid) {
    const GraphInternals internals;
    const std::unique_ptr<ggml_context, ContextDeleter> context(
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true}));
    ggml_cgraph* const graph = ggml_new_graph(context.get());
    EXPECT_EQ(internals.uid(*graph), 0U);
    internals.set_uid(*graph, 17);
    EXPECT_EQ(internals.uid(*graph), 17U);
}

}  // namespace
}  // namespace virtgpu::ggml_private
