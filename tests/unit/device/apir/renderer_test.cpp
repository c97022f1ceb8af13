#include "tests/unit/device/apir/renderer_fixture.h"

namespace virtgpu::apir {
namespace {

using protocol::ContextState;
using protocol::OpenStatus;
using namespace test;

TEST_F(RendererTest, HandshakeAnswersItsVersion) {
    start("echo");
    EXPECT_EQ(call(handshake(kReplies)), protocol::kApirHandshakeCode);
    EXPECT_EQ(reader_.payload_word(0), 0U);
    EXPECT_EQ(reader_.payload_word(1), 2U);
}

TEST_F(RendererTest, LoadlibraryStartsAWorker) {
    start("echo");
    EXPECT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_NE(log_.text().find("context 1 (test) opened"), std::string::npos);
    EXPECT_EQ(call(loadlibrary(kReplies)), 0U);  // twice does no harm
}

TEST_F(RendererTest, OnlySoManyLoadlibraryCommandsWaitForTheWorker) {
    start("echo");
    size_t answered = 0;
    for (size_t i = 0; i <= device::kMaxWaitingLoads; ++i)
        context_->submit(loadlibrary(kReplies), [&] { ++answered; });
    EXPECT_EQ(answered, 1U);
    EXPECT_EQ(reader_.take(), kCannotOpen);
    run_until(*loop_, [&] { return answered == device::kMaxWaitingLoads + 1; });
    EXPECT_EQ(reader_.take(), 0U);
}

TEST_F(RendererTest, LoadlibraryFailsWithoutAWorkerProgram) {
    WorkerOptions options;
    options.program = "/nonexistent/worker";
    start(options);
    EXPECT_EQ(call(loadlibrary(kReplies)), kCannotOpen);
}

TEST_F(RendererTest, LoadlibraryFailsWhenTheWorkerRefuses) {
    start("refuse");
    EXPECT_EQ(call(loadlibrary(kReplies)), kCannotOpen);
}

TEST_F(RendererTest, RingsOpenOnceAndOnlyWhereTheyFit) {
    start("echo");
    EXPECT_EQ(open(0), OpenStatus::kNoWorker);  // before LOADLIBRARY
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_EQ(open(0), OpenStatus::kOk);
    EXPECT_EQ(open(0), OpenStatus::kRefused);
    EXPECT_EQ(open(protocol::kMaxRings), OpenStatus::kRefused);
    EXPECT_EQ(call(open_ring(kReplies, 1, 99)), protocol::kApirForwardSuccess);
    EXPECT_EQ(static_cast<OpenStatus>(reader_.payload_word(0)), OpenStatus::kRefused);
    EXPECT_EQ(call(open_ring(kReplies, 1, kReplies)), protocol::kApirForwardSuccess);
    EXPECT_EQ(static_cast<OpenStatus>(reader_.payload_word(0)), OpenStatus::kRefused);
    context_->submit(ring_command(protocol::ApirForward::kCloseRing, 0), {});
    EXPECT_EQ(open(0), OpenStatus::kOk);
}

// A virtual machine's programs come and go.
TEST_F(RendererTest, ManyContextsLeaveNoFiles) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    const auto use = [&](uint32_t id) {
        Context* const context = add_context(id);
        ASSERT_EQ(call(loadlibrary(kReplies), context), 0U);
        for (uint32_t ring = 0; ring < 3; ++ring)
            ASSERT_EQ(call(open_ring(kReplies, ring, kRingRegion), context),
                      protocol::kApirForwardSuccess);
        ASSERT_TRUE(renderer_->destroy_context(id));
    };
    use(2);
    // Loans of regions end when the worker says so.
    settle(*loop_);
    const auto before = open_descriptors();
    for (uint32_t id = 3; id < 203; ++id)
        use(id);
    run_until(*loop_, [&] { return open_descriptors() <= before; });
}

TEST_F(RendererTest, ADoorbellsFenceCompletesWithTheRing) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    ASSERT_EQ(open(0), OpenStatus::kOk);
    bool done = false;
    context_->submit(doorbell(0), [&] { done = true; });
    EXPECT_FALSE(done);
    run_until(*loop_, [&] { return done; });
}

TEST_F(RendererTest, ASignalWithoutAWaiterIsRemembered) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    ASSERT_EQ(open(0), OpenStatus::kOk);
    context_->submit(doorbell(0), {});
    bool seen = false;
    for (int i = 0; i < 100 && !seen; ++i) {
        settle(*loop_);
        context_->submit(doorbell(0), [&] { seen = true; });
    }
    EXPECT_TRUE(seen);
}

TEST_F(RendererTest, AClosedRingLetsItsWaitersGo) {
    start("silent");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    ASSERT_EQ(open(0), OpenStatus::kOk);
    bool done = false;
    context_->submit(doorbell(0), [&] { done = true; });
    settle(*loop_);
    EXPECT_FALSE(done);
    context_->submit(ring_command(protocol::ApirForward::kCloseRing, 0), {});
    EXPECT_TRUE(done);
}

TEST_F(RendererTest, TooManyWaitersWakeTheOldest) {
    start("silent");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    ASSERT_EQ(open(0), OpenStatus::kOk);
    std::vector<int> woken;
    for (int i = 0; i <= static_cast<int>(device::kMaxWaitersOfRing); ++i)
        context_->submit(doorbell(0), [&woken, i] { woken.push_back(i); });
    EXPECT_EQ(woken, std::vector<int>{0});
    renderer_->destroy_all_contexts();
    EXPECT_EQ(woken.size(), device::kMaxWaitersOfRing + 1);
}

TEST_F(RendererTest, ADyingWorkerLosesItsContextsAndWakesAll) {
    start("die");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_EQ(open(0), OpenStatus::kNoWorker);
    EXPECT_EQ(state(), ContextState::kLost);
    bool done = false;
    context_->submit(doorbell(0), [&] { done = true; });
    EXPECT_TRUE(done);
    EXPECT_EQ(call(loadlibrary(kReplies)), kCannotOpen);
    run_until(*loop_,
              [&] { return log_.text().find("exited with status 9") != std::string::npos; });

    Context* next = add_context(2);
    EXPECT_EQ(call(loadlibrary(kReplies), next), 0U);  // by a new worker
}

TEST_F(RendererTest, AWorkerWhoseEndIsNotNoticedYetGetsNoContexts) {
    start("leave");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    context_->submit(bytes_of(uint32_t{1}), {});  // closes it, upon which the worker exits
    ::usleep(500'000);
    Context* next = add_context(2);
    EXPECT_EQ(call(loadlibrary(kReplies), next), 0U);  // by a new worker
    EXPECT_EQ(next->state(), ContextState::kAlive);
}

TEST_F(RendererTest, AContextThatBrokeTheProtocolIsClosedAlone) {
    start("break");
    Context* other = add_context(2);
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    ASSERT_EQ(call(loadlibrary(kReplies), other), 0U);
    EXPECT_EQ(open(0), OpenStatus::kOk);
    run_until(*loop_, [&] { return context_->state() == ContextState::kClosed; });
    EXPECT_EQ(state(), ContextState::kClosed);
    EXPECT_EQ(other->state(), ContextState::kAlive);
}

TEST_F(RendererTest, UnknownForwardsAreAnsweredAsUpstreamDoes) {
    start("echo");
    EXPECT_EQ(call(forward(static_cast<protocol::ApirForward>(23), kReplies)), 10U);
    EXPECT_EQ(context_->state(), ContextState::kAlive);
}

TEST_F(RendererTest, MalformedCommandsCloseTheContext) {
    start("echo");
    EXPECT_EQ(call(forward(protocol::ApirForward::kOpenRing, kReplies)), 10U);
    EXPECT_EQ(state(), ContextState::kClosed);
    Context* other = add_context(2);
    bool done = false;
    other->submit(bytes_of(uint32_t{1}), [&] { done = true; });
    EXPECT_TRUE(done);
    EXPECT_EQ(other->state(), ContextState::kClosed);
}

TEST_F(RendererTest, TheWorkerLearnsAtOnceThatAContextIsClosed) {
    start("leave");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    context_->submit(bytes_of(uint32_t{1}), {});
    EXPECT_EQ(context_->state(), ContextState::kClosed);
    run_until(*loop_,
              [&] { return log_.text().find("exited with status 9") != std::string::npos; });
}

TEST_F(RendererTest, Virglrenderer34ARegionThatIsNotThereGetsNoReplyAndTheContextGoesOn) {
    start("echo");
    bool done = false;
    context_->submit(ping(77), [&] { done = true; });
    EXPECT_TRUE(done);
    EXPECT_EQ(state(), ContextState::kAlive);
    context_->detach(kReplies);
    context_->submit(ping(kReplies), {});
    EXPECT_FALSE(reader_.take());
}

TEST_F(RendererTest, ContextsAreLimited) {
    start("echo");
    for (uint32_t id = 2; id <= device::TenantLimits().contexts; ++id)
        ASSERT_TRUE(renderer_->create_context(id, "test"));
    EXPECT_FALSE(renderer_->create_context(1, "test"));
    EXPECT_FALSE(renderer_->create_context(9999, "test"));
    EXPECT_TRUE(renderer_->destroy_context(5));
    EXPECT_FALSE(renderer_->destroy_context(5));
    EXPECT_TRUE(renderer_->create_context(9999, "test"));
}

TEST_F(RendererTest, LeavesNoDescriptorsBehind) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    settle(*loop_);
    const auto before = open_descriptors();
    for (int i = 0; i < 3; ++i) {
        Context* context = add_context(2);
        ASSERT_EQ(call(loadlibrary(kReplies), context), 0U);
        for (uint32_t ring = 0; ring < 5; ++ring)
            ASSERT_EQ(call(open_ring(kReplies, ring, kRingRegion), context),
                      protocol::kApirForwardSuccess);
        bool done = false;
        context->submit(doorbell(0), [&] { done = true; });
        renderer_->destroy_context(2);
        EXPECT_TRUE(done);
    }
    settle(*loop_);
    EXPECT_LE(open_descriptors(), before);
}

TEST_F(RendererTest, DrainEndsTheWorkerForGood) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    renderer_->drain();
    run_until(*loop_, [&] { return renderer_->workers_ended(); });
    EXPECT_NE(log_.text().find("exited with status 0"), std::string::npos);
    EXPECT_EQ(call(loadlibrary(kReplies), add_context(2)), kCannotOpen);
}

TEST_F(RendererTest, AClientIsWokenByItsEventfd) {
    start("die", Waiter::kClient);
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_EQ(context_->open_ring(0), nullptr);
    bool done = false;
    context_->submit(doorbell(0), [&] { done = true; });
    EXPECT_TRUE(done);  // it polls the eventfd, there is no fence
}

// Upstream's commands.

std::vector<std::byte> graph_compute() {
    return forward(protocol::ForwardCommand::kBackendGraphCompute, kReplies, uint32_t{1},
                   uint64_t{64});
}

TEST_F(RendererTest, Virglrenderer35AForwardBeforeLoadlibraryHasItsOwnCode) {
    start("echo");
    EXPECT_EQ(call(graph_compute()), 1U);
}

TEST_F(RendererTest, AForwardIsDoneWhenTheWorkerSaysSo) {
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    bool done = false;
    context_->submit(graph_compute(), [&done] { done = true; });
    EXPECT_FALSE(done);
    run_until(*loop_, [&] { return done; });
    EXPECT_TRUE(done);
}

TEST_F(RendererTest, AForwardOfAWorkerThatDiesIsAGraphThatFailed) {
    start("die");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_EQ(call(graph_compute()), protocol::kApirForwardSuccess);
    EXPECT_EQ(static_cast<protocol::GraphStatus>(reader_.payload_word(0)),
              protocol::GraphStatus::kFailed);
    EXPECT_EQ(state(), ContextState::kLost);
}

TEST_F(RendererTest, Upstream5510WithoutAWorkerEveryCommandIsAnsweredAndNoneAbortsTheGuest) {
    start("die");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    call(graph_compute());
    for (uint32_t id = 0; protocol::is_forward_command(id); ++id)
        EXPECT_EQ(call(forward(static_cast<protocol::ForwardCommand>(id), kReplies)),
                  protocol::kApirForwardSuccess)
            << id;
    call(forward(protocol::ForwardCommand::kBufferTypeAllocBuffer, kReplies));
    EXPECT_EQ(reader_.payload_word(0), UINT32_MAX) << "a buffer without memory";
    call(forward(protocol::ForwardCommand::kDeviceSupportsOp, kReplies));
    EXPECT_EQ(reader_.payload_word(0), 1U) << "or ggml's scheduler aborts";
    call(forward(protocol::ForwardCommand::kBufferCpyTensor, kReplies));
    EXPECT_EQ(reader_.payload_word(0), 0U);
}

TEST_F(RendererTest, MoreForwardsThanAGuestHasThreadsAreRefusedAndNotKept) {
    start("linger");  // answers none
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    int done = 0;
    for (size_t i = 0; i < device::kMaxWaitingForwards; ++i)
        context_->submit(graph_compute(), [&done] { ++done; });
    EXPECT_EQ(done, 0);
    EXPECT_EQ(call(graph_compute()), protocol::kApirForwardSuccess);
    EXPECT_EQ(static_cast<protocol::GraphStatus>(reader_.payload_word(0)),
              protocol::GraphStatus::kFailed);
    // Who waits is told when the context ends.
    renderer_->destroy_context(1);
    EXPECT_EQ(done, static_cast<int>(device::kMaxWaitingForwards));
}

TEST_F(RendererTest, AHostOfLevel1AloneKnowsNoCommandOfLevel2) {
    limits_.level2 = false;
    start("echo");
    EXPECT_NE(call(ping(kReplies)), protocol::kApirForwardSuccess);
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_NE(call(ping(kReplies)), protocol::kApirForwardSuccess);
    EXPECT_NE(call(open_ring(kReplies, 0, kRingRegion)), protocol::kApirForwardSuccess);
    EXPECT_EQ(context_->state(), ContextState::kAlive);
}

TEST_F(RendererTest, AWorkerPerContextKeepsTheirFatesApart) {
    worker_per_context_ = true;
    start("die");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    Context* other = add_context(2);
    ASSERT_EQ(call(loadlibrary(kReplies), other), 0U);
    EXPECT_EQ(open(0), OpenStatus::kNoWorker);
    EXPECT_EQ(context_->state(), ContextState::kLost);
    EXPECT_EQ(other->state(), ContextState::kAlive);
}

TEST_F(RendererTest, TheWorkerOfAContextEndsWithIt) {
    worker_per_context_ = true;
    start("echo");
    ASSERT_EQ(call(loadlibrary(kReplies)), 0U);
    EXPECT_FALSE(renderer_->workers_ended());
    EXPECT_TRUE(renderer_->destroy_context(1));
    run_until(*loop_, [&] { return renderer_->workers_ended(); });
    EXPECT_EQ(call(loadlibrary(kReplies), add_context(2)), 0U) << "the next has one of its own";
}

}  // namespace
}  // namespace virtgpu::apir
