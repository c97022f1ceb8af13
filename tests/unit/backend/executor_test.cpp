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

TEST_F(ExecutorTest, WaitsForRequestsOfRing0) {
    greet();
    stream.after = 2;
    stream.send(protocol::Command::kGetDeviceMemory, memory_request());
    EXPECT_FALSE(stream.receive(milliseconds(150)));
    EXPECT_TRUE(control.get_device_memory({0}));
    EXPECT_TRUE(stream.receive());
}

TEST_F(ExecutorTest, AWaitThatNeverEndsEndsWithTheContext) {
    greet();
    stream.after = UINT64_MAX;
    stream.send(protocol::Command::kGetDeviceMemory, memory_request());
    std::this_thread::sleep_for(milliseconds(20));
    const auto start = steady_clock::now();
    context_.reset();
    EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
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
        host_->open_context(6, regions, [&](uint32_t, const std::string& text) { reason = text; });
    ASSERT_TRUE(other->open_ring(0, stranger.host_memory(), stranger.host_signals()));
    ASSERT_TRUE(stranger.hello(hello_of_this_ggml()));
    EXPECT_FALSE(stranger.free_buffer({buffer}));
    EXPECT_TRUE(control.free_buffer({buffer}));
    EXPECT_TRUE(failure().empty());
}

}  // namespace
}  // namespace virtgpu::backend
