// The order in which the host's device computes a graph best, as ggml's scheduler asks for it.
#include <array>
#include <future>
#include <thread>

#include "frontend/remote_buffer.h"
#include "frontend/remote_device.h"
#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

using Dependencies = std::vector<std::pair<ggml_tensor*, ggml_tensor*>>;

void collect(void* dependencies, ggml_tensor* tensor, ggml_tensor* until) {
    static_cast<Dependencies*>(dependencies)->emplace_back(tensor, until);
}

class GraphOrderTest : public PluginTest {
 protected:
    GraphOrderTest() : PluginTest({.reorders_graphs = true}) {}

    // Before anything has a place, as the scheduler does.
    ggml_cgraph* make_graph() {
        ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
        ggml_tensor* const one = ggml_scale(context_.get(), a, 2.0F);
        ggml_tensor* const other = ggml_scale(context_.get(), a, 3.0F);
        return graph_of(ggml_add(context_.get(), one, other));
    }

    void optimize(ggml_cgraph* graph) {
        ggml_backend_graph_optimize_params parameters{collect, &dependencies_};
        backend_->iface.graph_optimize(backend_.get(), graph, &parameters);
    }

    static std::vector<ggml_tensor*> nodes_of(ggml_cgraph* graph) {
        ggml_tensor** const nodes = ggml_graph_nodes(graph);
        return {nodes, nodes + ggml_graph_n_nodes(graph)};
    }

    static void place_all(ggml_cgraph* graph, ggml_backend_buffer_t buffer) {
        ggml_tallocr places = ggml_tallocr_new(buffer);
        EXPECT_EQ(ggml_tallocr_alloc(&places, ggml_graph_node(graph, 0)->src[0]),
                  GGML_STATUS_SUCCESS);
        for (ggml_tensor* node : nodes_of(graph))
            EXPECT_EQ(ggml_tallocr_alloc(&places, node), GGML_STATUS_SUCCESS);
    }

    // Until allowed_ is set.
    void hold_computing() {
        host_.compute_by([allowed = allowed_.get_future().share()] { allowed.wait(); });
    }

    struct Foretold {
        GgmlBuffer first_places;
        GgmlBuffer second_places;
        ggml_cgraph* second;
    };
    // The device computes the first graph until allowed_ is set; the second is known and placed.
    Foretold foretell_behind_a_held_graph() {
        hold_computing();
        ggml_cgraph* const first = make_graph();
        optimize(first);
        GgmlBuffer first_places = allocate();
        GgmlBuffer second_places(ggml_backend_alloc_buffer(backend_.get(), 4096));
        EXPECT_EQ(ggml_backend_graph_compute_async(backend_.get(), first), GGML_STATUS_SUCCESS);
        ggml_cgraph* const second = make_graph();
        optimize(second);
        place_all(second, second_places.get());
        return {std::move(first_places), std::move(second_places), second};
    }

    int graphs_brought() const {
        return host_.count(Command::kDefineGraph) + host_.count(Command::kEditGraph);
    }

    Dependencies dependencies_;
    std::promise<void> allowed_;
    const GgmlBackend backend_ = open_backend();
};

TEST_F(GraphOrderTest, TheHostIsAskedOncePerStructure) {
    host_.order_by([](const protocol::Graph& graph) {
        protocol::OptimizeGraphReply reply{graph.nodes, {{graph.nodes[0], graph.nodes[2]}}};
        std::swap(reply.nodes[0], reply.nodes[1]);
        return test::ok(reply);
    });
    for (int i = 0; i < 3; ++i) {
        ggml_cgraph* const graph = make_graph();
        const auto before = nodes_of(graph);
        dependencies_.clear();
        optimize(graph);
        EXPECT_THAT(nodes_of(graph), testing::ElementsAre(before[1], before[0], before[2]));
        EXPECT_THAT(dependencies_, testing::ElementsAre(testing::Pair(before[0], before[2])));
    }
    EXPECT_EQ(host_.count(Command::kOptimizeGraph), 1);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(GraphOrderTest, TheHostLearnsHowOftenResultsAreUsed) {
    optimize(make_graph());
    const protocol::Graph graph = host_.graph();
    ASSERT_EQ(graph.nodes.size(), 3U);
    EXPECT_EQ(graph.tensors[graph.nodes[0]].use_count, 1);
    EXPECT_EQ(graph.tensors[graph.nodes[2]].use_count, 0);
    EXPECT_EQ(graph.tensors[graph.nodes[0]].tensor.buffer, protocol::Handle{});
}

TEST_F(GraphOrderTest, ARefusalLeavesTheGraphAlone) {
    host_.order_by([](const protocol::Graph&) { return test::refused("too hard"); });
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    optimize(graph);
    EXPECT_EQ(nodes_of(graph), before);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(GraphOrderTest, AnOrderOfOtherNodesIsLogged) {
    host_.order_by([](const protocol::Graph&) {
        return test::ok(protocol::OptimizeGraphReply{{7, 8, 9}, {}});
    });
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    optimize(graph);
    EXPECT_EQ(nodes_of(graph), before);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("other nodes"));
}

TEST_F(GraphOrderTest, ALostHostLeavesTheGraphAlone) {
    ggml_cgraph* const graph = make_graph();
    const auto before = nodes_of(graph);
    stop_host();
    optimize(graph);
    optimize(graph);
    EXPECT_EQ(nodes_of(graph), before);
    EXPECT_EQ(log_.lines().size(), 1U);
}

// As with a cache that stays on the guest's processor.
TEST_F(GraphOrderTest, AViewOfAnotherBackendsDataIsNoErrorWhileTheDeviceIsBusy) {
    hold_computing();
    const GgmlContext others{
        ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
    ggml_tensor* const cache = ggml_new_tensor_1d(others.get(), GGML_TYPE_F32, 64);
    const GgmlBuffer elsewhere(
        ggml_backend_alloc_ctx_tensors_from_buft(others.get(), ggml_backend_cpu_buffer_type()));
    ggml_cgraph* const with_view = graph_of(ggml_view_1d(context_.get(), cache, 8, 0));
    optimize(with_view);
    ggml_cgraph* const first = make_graph();
    optimize(first);
    const auto places = allocate();
    ASSERT_EQ(ggml_backend_graph_compute_async(backend_.get(), first), GGML_STATUS_SUCCESS);

    optimize(with_view);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
    allowed_.set_value();
    ggml_backend_synchronize(backend_.get());
}

// Whoever asked for bytes gets zeroes, and gets them before it goes on.
TEST_F(GraphOrderTest, AHostThatGoesWithAForetoldGraphStillGivesZeroes) {
    ggml_cgraph* const first = make_graph();
    optimize(first);
    const auto first_places = allocate();
    const GgmlBuffer second_places(ggml_backend_alloc_buffer(backend_.get(), 4096));
    stop_host();
    ASSERT_EQ(ggml_backend_graph_compute_async(backend_.get(), first), GGML_STATUS_SUCCESS);
    std::array<float, 8> result;
    result.fill(7);
    ggml_backend_tensor_get_async(backend_.get(), nodes_of(first).back(), result.data(), 0,
                                  sizeof result);
    ggml_cgraph* const second = make_graph();
    optimize(second);
    place_all(second, second_places.get());
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(result, testing::Each(0.0F));
    result.fill(7);
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(result, testing::Each(7.0F)) << "it is the application's again";
}

// While the device computes, the next graph is brought to the host: when it is to be computed, it
// is there.
TEST_F(GraphOrderTest, AGraphIsBroughtWhileTheOneBeforeIsComputed) {
    const Foretold graphs = foretell_behind_a_held_graph();
    allowed_.set_value();
    ggml_backend_synchronize(backend_.get());
    EXPECT_EQ(graphs_brought(), 2);
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graphs.second), GGML_STATUS_SUCCESS);
    EXPECT_EQ(graphs_brought(), 2);
    EXPECT_EQ(host_.count(Command::kRunGraph), 2);
}

Connection& connection_of(ggml_backend_buffer_t buffer) {
    return static_cast<RemoteBuffer&>(*buffer_behind(buffer)).device().connection();
}

// Its owner waits for the stream before it is freed: who foretells meanwhile must not name it.
TEST_F(GraphOrderTest, AGraphInABufferThatIsBeingFreedIsNotForetold) {
    Foretold graphs = foretell_behind_a_held_graph();

    const Connection& connection = connection_of(graphs.first_places.get());
    const uint64_t freed = connection.buffers_freed();
    std::jthread freeing([&] { graphs.second_places.reset(); });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (connection.buffers_freed() == freed && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::jthread synchronizing([&] { ggml_backend_synchronize(backend_.get()); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    allowed_.set_value();
    synchronizing.join();
    freeing.join();
    EXPECT_EQ(graphs_brought(), 1);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(GraphOrderTest, NoBufferIsFreedWhileAForetoldGraphIsSent) {
    ggml_cgraph* const graph = make_graph();
    const auto places = allocate();
    GgmlBuffer doomed(ggml_backend_alloc_buffer(backend_.get(), 4096));
    auto kept = connection_of(places.get()).keep_buffers();
    std::jthread freeing([&] { doomed.reset(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_EQ(host_.count(Command::kFreeBuffer), 0);
    kept.unlock();
    freeing.join();
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_EQ(host_.count(Command::kFreeBuffer), 1);
}

using WithoutOrderTest = PluginTest;

TEST_F(WithoutOrderTest, NobodyIsAskedWhereTheDeviceHasNoBetterOrder) {
    EXPECT_EQ(open_backend()->iface.graph_optimize, nullptr);
}

}  // namespace
}  // namespace virtgpu::frontend
