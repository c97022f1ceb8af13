#include "backend/executor.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/backend/host_fixture.h"

namespace virtgpu::backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class ExecutorTest : public HostTest {
 protected:
    static std::vector<std::byte> memory_request() {
        wire::Writer writer;
        EXPECT_TRUE(encode(writer, protocol::GetDeviceMemoryRequest{0}));
        return {writer.bytes().begin(), writer.bytes().end()};
    }
};

TEST_F(ExecutorTest, SleepsAndWakesByDoorbell) {
    greet();
    for (int i = 0; i < 3; ++i) {
        while (!control.ring.doorbell_needed())
            std::this_thread::yield();
        EXPECT_TRUE(control.get_device_memory({0}));
    }
}

TEST_F(ExecutorTest, SignalsAGuestThatSleeps) {
    greet();
    EXPECT_FALSE(control.signals->completion) << "nobody was asleep";
    ASSERT_TRUE(control.ring.prepare_wait(2));
    control.send(protocol::Command::kGetDeviceMemory, memory_request());
    std::unique_lock lock(control.signals->mutex);
    EXPECT_TRUE(control.signals->changed.wait_for(lock, milliseconds(5000),
                                                  [&] { return control.signals->completion; }));
}

// Nobody wakes ring 0's own thread for what a stream comes after.
TEST_F(ExecutorTest, AStreamServesTheRequestsOfRing0ThatItComesAfter) {
    greet();
    const protocol::Handle buffer = alloc(64);
    while (!control.ring.doorbell_needed())
        std::this_thread::yield();
    wire::Writer writer;
    ASSERT_TRUE(encode(writer, protocol::FreeBufferRequest{buffer}));
    const uint64_t freed = **control.ring.send(protocol::Command::kFreeBuffer, 0, writer.bytes());
    stream.after = freed;
    EXPECT_TRUE(stream.get_device_memory({0}));
    EXPECT_EQ(control.ring.completed(), freed);
    EXPECT_TRUE(control.ring.doorbell_needed()) << "its thread still sleeps";
}

TEST_F(ExecutorTest, AfterARequestThatWasNeverSent) {
    greet();
    stream.after = UINT64_MAX;
    EXPECT_FALSE(stream.get_device_memory({0}));
    EXPECT_NE(failure().find("was never sent"), std::string::npos) << failure();
}

TEST_F(ExecutorTest, StreamsWaitForEachOther) {
    greet();
    RingGuest other;
    open(2, other);
    ASSERT_TRUE(stream.open_stream({0}));
    ASSERT_TRUE(other.open_stream({0}));
    wire::Writer writer;
    ASSERT_TRUE(encode(writer, protocol::AwaitRingRequest{1, 2}));
    const uint64_t sequence = other.send(protocol::Command::kAwaitRing, writer.bytes());
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_LT(other.ring.completed(), sequence);
    EXPECT_TRUE(stream.get_device_memory({0}));
    const auto end = steady_clock::now() + milliseconds(5000);
    while (other.ring.completed() < sequence && steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(other.ring.completed(), sequence);
    // A closed ring is not waited for.
    context_->close_ring(1);
    EXPECT_TRUE(other.await_ring({1, 1000}));
}

TEST_F(ExecutorTest, AWaitThatNeverEndsEndsWithTheContext) {
    greet();
    RingGuest other;
    open(2, other);
    ASSERT_TRUE(stream.open_stream({0}));
    ASSERT_TRUE(other.open_stream({0}));
    wire::Writer writer;
    ASSERT_TRUE(encode(writer, protocol::AwaitRingRequest{1, UINT64_MAX - 1}));
    other.send(protocol::Command::kAwaitRing, writer.bytes());
    std::this_thread::sleep_for(milliseconds(20));
    const auto start = steady_clock::now();
    context_.reset();
    EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
}

TEST_F(ExecutorTest, Ring0WaitsForNoOther) {
    greet();
    EXPECT_FALSE(control.await_ring({1, 1}));
    EXPECT_NE(failure().find("is no stream"), std::string::npos) << failure();
}

TEST_F(ExecutorTest, Ring0CannotWaitForItself) {
    greet();
    control.after = 2;
    EXPECT_FALSE(control.get_device_memory({0}));
    EXPECT_NE(failure().find("comes after itself"), std::string::npos) << failure();
}

TEST_F(ExecutorTest, BrokenRingPositionsFailTheContext) {
    greet();
    control.host_memory().request_tail().store(RingGuest::kBytes * 5);
    control.signals->set(control.signals->doorbell);
    const auto reply = control.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, protocol::Status::kMalformed);
    EXPECT_EQ(reply->sequence, 2U);
    EXPECT_NE(failure().find("announced in a ring"), std::string::npos) << failure();
}

TEST_F(ExecutorTest, AGuestThatReadsNoRepliesFails) {
    greet();
    // 32 bytes of reply each, so the ring of 64 KiB is full after 2048.
    for (int i = 0; i < 2100; ++i) {
        while (true) {
            const auto sent =
                control.ring.send(protocol::Command::kGetDeviceMemory, 0, memory_request());
            if (sent && *sent)
                break;
            control.signals->set(control.signals->doorbell);
            if (!failure().empty())
                break;
        }
    }
    control.signals->set(control.signals->doorbell);
    const auto end = steady_clock::now() + milliseconds(5000);
    while (failure().empty() && steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_NE(failure().find("no room for a reply"), std::string::npos) << failure();
}

TEST_F(ExecutorTest, ClosingARingFinishesWhatItHolds) {
    greet();
    for (int i = 0; i < 50; ++i)
        stream.send(protocol::Command::kGetDeviceMemory, memory_request());
    context_->close_ring(1);
    for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(stream.receive()) << i;
    RingGuest again;
    open(1, again);
}

size_t threads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST_F(ExecutorTest, ClosedRingsLeaveNoThreadsBehind) {
    greet();
    const size_t before = threads();
    for (int i = 0; i < 100; ++i) {
        RingGuest guest;
        open(2, guest);
        ASSERT_TRUE(guest.open_stream({0}));
        context_->close_ring(2);
    }
    EXPECT_LT(threads(), before + 10);
}

TEST_F(ExecutorTest, DrainingFinishesAllRings) {
    greet();
    for (int i = 0; i < 50; ++i)
        stream.send(protocol::Command::kGetDeviceMemory, memory_request());
    context_->drain();
    for (int i = 0; i < 50; ++i)
        EXPECT_TRUE(stream.receive(milliseconds(10))) << i;
    EXPECT_EQ(context_->summary().requests, 51U);
}

TEST_F(ExecutorTest, RingNumbersAreCheckedAndTakenOnce) {
    RingGuest other;
    EXPECT_FALSE(context_->open_ring(1, other.host_memory(), other.host_signals()));
    EXPECT_FALSE(
        context_->open_ring(protocol::kMaxRings, other.host_memory(), other.host_signals()));
}

TEST_F(ExecutorTest, TwoContextsDoNotSeeEachOthersBuffers) {
    greet();
    const protocol::Handle buffer = alloc(64);
    RingGuest stranger;
    std::string reason;
    auto other =
        *host_->open_context(6, regions, [&](uint32_t, const std::string& text) { reason = text; });
    ASSERT_TRUE(other->open_ring(0, stranger.host_memory(), stranger.host_signals()));
    ASSERT_TRUE(stranger.hello(hello_of_this_ggml()));
    EXPECT_FALSE(stranger.free_buffer({buffer}));
    EXPECT_TRUE(control.free_buffer({buffer}));
    EXPECT_TRUE(failure().empty());
}

}  // namespace
}  // namespace virtgpu::backend
