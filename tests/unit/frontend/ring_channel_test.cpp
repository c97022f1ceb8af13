#include "frontend/ring_channel.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/frontend/ring_fixture.h"

namespace virtgpu::frontend {
namespace {

using std::chrono::milliseconds;
using test::RingAnswer;
using wire::Fault;
using Clock = std::chrono::steady_clock;

class RingChannelTest : public RingFixture {
 protected:
    static RingAnswer memory_answer(protocol::Command /*command*/,
                                    std::span<const std::byte> /*payload*/) {
        return test::ok(protocol::GetDeviceMemoryReply{11, 22});
    }
};

TEST_F(RingChannelTest, CallReturnsTheReply) {
    open(memory_answer);
    for (int i = 0; i < 1000; ++i) {
        const auto reply = channel_->get_device_memory({0});
        ASSERT_TRUE(reply) << reply.error().message();
        EXPECT_EQ(reply->memory_total, 22U);
    }
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(RingChannelTest, RefusalIsAnErrorOfThisCallOnly) {
    open([refuse = true](protocol::Command command, std::span<const std::byte> payload) mutable {
        if (std::exchange(refuse, false))
            return test::refused("not today");
        return memory_answer(command, payload);
    });
    const auto refused = channel_->get_device_memory({0});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::kRefused);
    EXPECT_EQ(refused.error().message(), "not today");
    EXPECT_TRUE(channel_->get_device_memory({0}));
}

TEST_F(RingChannelTest, SlowHostIsWaitedFor) {
    open([](protocol::Command command, std::span<const std::byte> payload) {
        std::this_thread::sleep_for(milliseconds(1700));
        return memory_answer(command, payload);
    });
    EXPECT_TRUE(channel_->get_device_memory({0}));
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(RingChannelTest, DeadWorkerEndsTheCallAndTheSession) {
    open(memory_answer);
    host_->serves_rings = false;
    host_->state = protocol::ContextState::kLost;
    const auto start = Clock::now();
    const auto reply = channel_->get_device_memory({0});
    EXPECT_LT(Clock::now() - start, milliseconds(2000));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().fault(), Fault::kLost);
    EXPECT_TRUE(health_->lost());

    // Sticky, at once, and said once.
    host_->serves_rings = true;
    const auto again = Clock::now();
    EXPECT_FALSE(channel_->get_device_memory({0}));
    EXPECT_LT(Clock::now() - again, milliseconds(50));
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("compute worker died"));
}

TEST_F(RingChannelTest, SilentHostIsLostAfterThreePings) {
    open(memory_answer);
    host_->serves_rings = false;
    host_->answers_pings = false;
    const auto start = Clock::now();
    EXPECT_FALSE(channel_->get_device_memory({0}));
    EXPECT_GE(Clock::now() - start, milliseconds(1500));
    EXPECT_LT(Clock::now() - start, milliseconds(2500));
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("restart the test"));
}

TEST_F(RingChannelTest, AllThreadsAreToldOfASilentHostAtOnce) {
    constexpr uint32_t kThreads = 6;
    open(memory_answer);
    std::vector<std::unique_ptr<RingChannel>> channels;
    for (uint32_t i = 0; i < kThreads; ++i)
        channels.push_back(*RingChannel::open(services(), 2 + i, {4096, 0}));
    host_->serves_rings = false;
    host_->answers_pings = false;
    const auto start = Clock::now();
    {
        std::vector<std::jthread> threads;
        threads.reserve(kThreads);
        for (const auto& channel : channels)
            threads.emplace_back([&] { EXPECT_FALSE(channel->get_device_memory({0})); });
    }
    EXPECT_LT(Clock::now() - start, milliseconds(2800));
    EXPECT_EQ(log_.lines().size(), 1U);
}

TEST_F(RingChannelTest, DeadDeviceIsNoticedWhileARingIsOpened) {
    open(memory_answer);
    host_->answers_opening = false;
    host_->answers_pings = false;
    const auto start = Clock::now();
    const auto channel = RingChannel::open(services(), 2, {4096, 0});
    EXPECT_LT(Clock::now() - start, milliseconds(4000));
    ASSERT_FALSE(channel);
    EXPECT_EQ(channel.error().fault(), Fault::kLost);
    EXPECT_THAT(channel.error().message(), testing::HasSubstr("restart the test"));
    // The answer may still come, and must not pass for the next one's.
    EXPECT_TRUE(health_->lost());
    host_->answers_opening = true;
    host_->answers_pings = true;
    const auto next = apir_->open_ring({3, 1, 4096, 4096});
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().fault(), Fault::kLost);
}

TEST_F(RingChannelTest, NoExceptionLeavesTheDestructor) {
    open(memory_answer);
    host_->memory_is_short = true;
    channel_.reset();
    host_->memory_is_short = false;
}

TEST_F(RingChannelTest, WrongSessionStatusLosesTheSession) {
    open([](protocol::Command, std::span<const std::byte>) {
        RingAnswer answer = test::refused("bad handle");
        answer.status = protocol::Status::kMalformed;
        return answer;
    });
    EXPECT_FALSE(channel_->get_device_memory({0}));
    EXPECT_TRUE(health_->lost());
}

TEST_F(RingChannelTest, ForkedChildFailsAndTheParentWorksOn) {
    open(memory_answer);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto reply = channel_->get_device_memory({0});
        // Not exit(): the parent's threads do not exist here.
        ::_exit(!reply && reply.error().fault() == Fault::kLost ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_TRUE(channel_->get_device_memory({0}));
}

TEST_F(RingChannelTest, StagingIsWhereTheHostIsTold) {
    open(memory_answer);
    auto staging = channel_->lock_staging();
    EXPECT_EQ(staging.size(), 4096U);
    for (int i = 0; i < 3; ++i) {
        const auto piece = staging.reserve(16);
        ASSERT_TRUE(piece);
        std::memset(piece->bytes.data(), 0x5a + i, 16);
        std::array<std::byte, 16> seen{};
        ASSERT_TRUE(host_->region(piece->span.region)->copy_out(piece->span.offset, seen));
        EXPECT_THAT(seen, testing::Each(std::byte(0x5a + i)));
    }
    EXPECT_EQ(staging.reserve(4097).error().fault(), Fault::kRefused);
}

TEST_F(RingChannelTest, StagingComesFreeWithTheRequestThatUsesIt) {
    open(memory_answer);
    auto staging = channel_->lock_staging();
    for (int i = 0; i < 100; ++i) {
        const auto piece = staging.reserve(3000);
        ASSERT_TRUE(piece) << piece.error().message();
        const auto sequence = channel_->set_tensor({{}, 0, piece->span});
        ASSERT_TRUE(sequence);
        staging.in_use_until(*sequence);
    }
    EXPECT_TRUE(channel_->finish());
    EXPECT_EQ(host_->commands(), 100);
}

TEST_F(RingChannelTest, QueuedCommandsDoNotWait) {
    open(memory_answer);
    host_->serves_rings = false;
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(channel_->free_buffer({{1, 1}}));
    EXPECT_EQ(channel_->sent(), 100U);
    host_->serves_rings = true;
    EXPECT_TRUE(channel_->finish());
    EXPECT_EQ(host_->commands(), 100);
    const uint64_t waits = traffic_.waits;
    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(channel_->finish());
    EXPECT_EQ(traffic_.waits, waits) << "all was done already";
}

TEST_F(RingChannelTest, AFullRingIsWaitedFor) {
    open(memory_answer);
    constexpr int kMany = 3 * RingChannel::kRequestBytes / 24;
    for (int i = 0; i < kMany; ++i)
        ASSERT_TRUE(channel_->free_buffer({{1, 1}})) << i;
    EXPECT_TRUE(channel_->finish());
    EXPECT_EQ(host_->commands(), kMany);
}

TEST_F(RingChannelTest, AQueuedCommandThatFailsLosesTheSession) {
    open([](protocol::Command, std::span<const std::byte>) { return test::refused("no such op"); });
    EXPECT_TRUE(channel_->run_graph({1}));
    const auto finished = channel_->finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().fault(), Fault::kLost);
    EXPECT_TRUE(health_->lost());
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("no such op"));
}

// Nobody has to wait for them before touching memory that the host sees as well.
TEST_F(RingChannelTest, NotesAboutBuffersLeaveTheRingIdle) {
    open(memory_answer);
    EXPECT_TRUE(channel_->idle());
    host_->serves_rings = false;
    ASSERT_TRUE(channel_->set_buffer_usage({{1, 1}, 1}));
    ASSERT_TRUE(channel_->changed_buffer({{1, 1}, 0, 8}));
    EXPECT_TRUE(channel_->idle());
    ASSERT_TRUE(channel_->clear_buffer({{1, 1}, 0}));
    EXPECT_FALSE(channel_->idle());
    ASSERT_TRUE(channel_->changed_buffer({{1, 1}, 0, 8}));
    EXPECT_FALSE(channel_->idle()) << "the note is not what is waited for";
    host_->serves_rings = true;
    EXPECT_TRUE(channel_->finish());
    EXPECT_TRUE(channel_->idle());
}

// All is done, and yet whoever waits next has to be told.
TEST_F(RingChannelTest, AFailureThatNobodyHasReadLeavesTheRingBusy) {
    open([](protocol::Command, std::span<const std::byte>) { return test::refused("no such op"); });
    EXPECT_TRUE(channel_->run_graph({1}));
    while (host_->completed(channel_->number()) == 0)
        std::this_thread::sleep_for(milliseconds(1));
    EXPECT_FALSE(channel_->idle());
    EXPECT_FALSE(channel_->idle(protocol::Handle{1, 1}));
    EXPECT_FALSE(channel_->finish());
    EXPECT_TRUE(health_->lost());
}

TEST_F(RingChannelTest, ABufferIsIdleWhenTheLastRequestThatNamesItIsDone) {
    open(memory_answer);
    const protocol::Handle first{1, 1};
    const protocol::Handle second{2, 1};
    channel_->uses().note(first, *channel_->run_graph({1}));
    ASSERT_TRUE(channel_->finish());
    host_->serves_rings = false;
    channel_->uses().note(second, *channel_->run_graph({2}));
    EXPECT_FALSE(channel_->idle());
    EXPECT_TRUE(channel_->idle(first));
    EXPECT_FALSE(channel_->idle(second));
    EXPECT_TRUE(channel_->finish(channel_->uses().last(first)));
    channel_->uses().forget(second);
    EXPECT_TRUE(channel_->idle(second));
    host_->serves_rings = true;
}

TEST_F(RingChannelTest, AWaitIsGivenUpWhenItIsUnwanted) {
    open(memory_answer);
    host_->serves_rings = false;
    const auto sequence = channel_->run_graph({1, true});
    ASSERT_TRUE(sequence);
    int asked = 0;
    const auto given_up = channel_->finish_unless(*sequence, [&] { return ++asked == 3; });
    ASSERT_TRUE(given_up) << given_up.error().message();
    EXPECT_FALSE(*given_up);
    EXPECT_EQ(asked, 3);
    channel_->ask_to_abort(*sequence);
    host_->serves_rings = true;
    const auto done = channel_->finish_unless(*sequence, [] { return false; });
    ASSERT_TRUE(done);
    EXPECT_TRUE(*done);
    EXPECT_EQ(host_->aborted_until(), *sequence);
}

TEST_F(RingChannelTest, AWaitThatMayBeGivenUpPollsBeforeItSleeps) {
    polling_ = 2000000;
    open([](protocol::Command command, std::span<const std::byte> payload) {
        std::this_thread::sleep_for(milliseconds(20));
        return memory_answer(command, payload);
    });
    int asked = 0;
    const auto sequence = channel_->run_graph({1, true});
    ASSERT_TRUE(sequence);
    const auto done = channel_->finish_unless(*sequence, [&] { return ++asked < 0; });
    ASSERT_TRUE(done);
    EXPECT_TRUE(*done);
    EXPECT_GT(asked, 1) << "also while it polls";
    EXPECT_EQ(traffic_.sleeps, 0U);
    EXPECT_EQ(traffic_.waits, 1U);
}

TEST_F(RingChannelTest, AWaitThatMayBeGivenUpNoticesADeadWorker) {
    open(memory_answer);
    host_->serves_rings = false;
    host_->state = protocol::ContextState::kLost;
    const auto sequence = channel_->run_graph({1, true});
    const auto start = Clock::now();
    EXPECT_FALSE(channel_->finish_unless(*sequence, [] { return false; }));
    EXPECT_LT(Clock::now() - start, milliseconds(2000));
    EXPECT_TRUE(health_->lost());
}

TEST_F(RingChannelTest, RequestsComeAfterThoseOfTheRingBefore) {
    open(memory_answer);
    const auto other = RingChannel::open(services(), 2, {4096, 0}, channel_.get());
    ASSERT_TRUE(other);
    ASSERT_TRUE(channel_->free_buffer({{1, 1}}));
    ASSERT_TRUE(channel_->finish());
    ASSERT_TRUE((*other)->run_graph({1}));
    ASSERT_TRUE((*other)->finish());
    EXPECT_EQ(host_->last_after(), 1U);
}

}  // namespace
}  // namespace virtgpu::frontend
