// Graphs that the guest no longer wants while the processor computes them, and how many threads it
// takes for them.
#include <gtest/gtest.h>

#include "tests/unit/backend/compute_fixture.h"

namespace virtgpu::backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int64_t kRows = 512;

ggml_tensor* square(ggml_context* context) {
    ggml_tensor* const a = ggml_new_tensor_2d(context, GGML_TYPE_F32, kRows, kRows / 4);
    return ggml_mul_mat(context, a, a);
}

class AbortedGraphTest : public ComputeTest {
 protected:
    // The same product again and again, to the same place; some 50 us each.
    void define_products(size_t count) {
        NativeGraph native(square);
        protocol::Graph graph = native.describe(alloc(native.size()));
        ASSERT_EQ(graph.tensors.size(), 2U);
        while (graph.nodes.size() < count) {
            graph.nodes.push_back(static_cast<uint32_t>(graph.tensors.size()));
            graph.tensors.push_back(graph.tensors[1]);
        }
        regions->regions[kDataRegion] = make_region(size_t{64} << 20);
        const auto defined = define(1, graph);
        ASSERT_TRUE(defined) << defined.error().message();
    }

    // Without waiting for it.
    uint64_t start(bool abortable) {
        wire::Writer writer;
        EXPECT_TRUE(encode(writer, protocol::RunGraphRequest{1, abortable}));
        return stream.send(protocol::Command::kRunGraph, writer.bytes());
    }

    bool done_within(uint64_t sequence, milliseconds time) {
        const auto end = steady_clock::now() + time;
        while (stream.ring.completed() < sequence && steady_clock::now() < end)
            std::this_thread::sleep_for(milliseconds(1));
        return stream.ring.completed() >= sequence;
    }
};

constexpr size_t kMinutes = 100000;  // of computing, by nodes
constexpr size_t kMoment = 20;

TEST_F(AbortedGraphTest, AnUnwantedGraphEndsEarly) {
    define_products(kMinutes);
    const uint64_t sequence = start(/*abortable=*/true);
    EXPECT_FALSE(done_within(sequence, milliseconds(100)));
    stream.ring.ask_to_abort(sequence);
    EXPECT_TRUE(done_within(sequence, milliseconds(2000)));
    EXPECT_FALSE(stream.ring.reply_ready()) << "it is no failure";
    EXPECT_EQ(context_->summary().graphs, 0U);
    // The stream goes on; what comes now is wanted.
    ASSERT_TRUE(stream.drop_graph({1}));
    define_products(kMoment);
    EXPECT_TRUE(stream.run_graph({1, true}));
    EXPECT_EQ(context_->summary().graphs, 1U);
    EXPECT_TRUE(failure().empty()) << failure();
}

TEST_F(AbortedGraphTest, AWantedGraphIsComputedToItsEnd) {
    define_products(kMoment);
    stream.ring.ask_to_abort(stream.ring.sent());
    EXPECT_TRUE(stream.run_graph({1, true}));
    EXPECT_EQ(context_->summary().graphs, 1U);
}

TEST_F(AbortedGraphTest, AGraphThatIsNotAbortableIsComputedToItsEnd) {
    define_products(kMoment);
    stream.ring.ask_to_abort(UINT64_MAX);
    EXPECT_TRUE(stream.run_graph({1, false}));
    EXPECT_EQ(context_->summary().graphs, 1U);
    EXPECT_TRUE(stream.run_graph({1, true}));
    EXPECT_EQ(context_->summary().graphs, 1U) << "this one was not";
}

TEST_F(AbortedGraphTest, TheEndOfTheContextEndsAnAbortableGraph) {
    define_products(kMinutes);
    EXPECT_FALSE(done_within(start(/*abortable=*/true), milliseconds(50)));
    const auto begin = steady_clock::now();
    context_.reset();
    EXPECT_LT(steady_clock::now() - begin, milliseconds(2000));
}

class TimedGraphTest : public AbortedGraphTest {
 protected:
    TimedGraphTest() { limits_.graph_time = milliseconds(1000); }
};

TEST_F(TimedGraphTest, AGraphThatTakesTooLongIsEndedAndTheGuestIsTold) {
    define_products(kMinutes);
    EXPECT_FALSE(stream.run_graph({1, false}));
    EXPECT_EQ(stream.last_status, protocol::Status::kRefused);
    EXPECT_EQ(context_->summary().graphs, 0U);
}

TEST_F(TimedGraphTest, AGraphThatTakesNoTimeIsComputed) {
    define_products(kMoment);
    EXPECT_TRUE(stream.run_graph({1, false}));
    EXPECT_EQ(context_->summary().graphs, 1U);
}

using StreamThreadsTest = AbortedGraphTest;

TEST_F(StreamThreadsTest, AnyNumberComputes) {
    define_products(kMoment);
    for (const uint32_t threads : {1U, 2U, UINT32_MAX}) {
        ASSERT_TRUE(stream.set_threads({threads}));
        EXPECT_TRUE(stream.run_graph({1}));
    }
    EXPECT_EQ(context_->summary().graphs, 3U);
}

TEST_F(StreamThreadsTest, WithoutThreadsNothingComputes) {
    EXPECT_FALSE(stream.set_threads({0}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("SET_THREADS"), std::string::npos) << failure();
}

TEST_F(StreamThreadsTest, Ring0HasNone) {
    EXPECT_FALSE(control.set_threads({1}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

}  // namespace
}  // namespace virtgpu::backend
