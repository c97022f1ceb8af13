#include "device/event_loop.h"

#include <gtest/gtest.h>

#include "device/event_file.h"
#include "device/timer.h"
#include "tests/unit/device/support.h"

namespace virtgpu::device {
namespace {

TEST(EventLoop, CallsBackWhileWatched) {
    auto loop = *EventLoop::create();
    const auto file = *EventFile::create();
    int calls = 0;
    auto watch = *loop->watch(file.number(), Interest::kReadable, [&] {
        ++calls;
        file.take();
    });
    file.signal();
    test::settle(*loop);
    EXPECT_EQ(calls, 1);
    watch.reset();
    file.signal();
    test::settle(*loop);
    EXPECT_EQ(calls, 1);
}

TEST(EventLoop, AWatchMayEndInsideItsCallback) {
    auto loop = *EventLoop::create();
    const auto file = *EventFile::create();
    auto state = std::make_shared<int>(0);
    Watch watch = *loop->watch(file.number(), Interest::kReadable, [&watch, state] {
        watch.reset();
        ++*state;  // the callback is still there
    });
    file.signal();
    test::settle(*loop);
    EXPECT_EQ(*state, 1);
    EXPECT_EQ(state.use_count(), 1);
}

TEST(EventLoop, AnEndedWatchMissesEventsThatWereFetchedWithItsEnd) {
    auto loop = *EventLoop::create();
    const auto first = *EventFile::create();
    const auto second = *EventFile::create();
    int calls = 0;
    Watch watch_first;
    Watch watch_second;
    watch_first = *loop->watch(first.number(), Interest::kReadable, [&] {
        ++calls;
        watch_second.reset();
        watch_first.reset();
    });
    watch_second = *loop->watch(second.number(), Interest::kReadable, [&] {
        ++calls;
        watch_first.reset();
        watch_second.reset();
    });
    first.signal();
    second.signal();
    test::settle(*loop);
    EXPECT_EQ(calls, 1);
}

TEST(EventLoop, RunsUntilStopped) {
    auto loop = *EventLoop::create();
    const auto timer = *Timer::create();
    const auto watch = *loop->watch(timer.number(), Interest::kReadable, [&] { loop->stop(); });
    timer.set(std::chrono::milliseconds(5));
    EXPECT_TRUE(loop->run());
    EXPECT_TRUE(timer.take());
}

TEST(EventLoop, RefusesWhatCannotBeWatched) {
    auto loop = *EventLoop::create();
    EXPECT_FALSE(loop->watch(-1, Interest::kReadable, [] {}));
}

}  // namespace
}  // namespace virtgpu::device
