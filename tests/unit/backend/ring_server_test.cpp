// Rings of a device that computes in the background.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <list>

#include "tests/unit/backend/background_device.h"
#include "tests/unit/backend/host_fixture.h"

namespace virtgpu::backend {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

// Of all threads.
microseconds processor_time() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

class BackgroundTest : public HostTest {
 protected:
    BackgroundTest() {
        BackgroundDevice::registered();
        backends_ = {"cpu", BackgroundDevice::kName};
        devices_ = {BackgroundDevice::kDevice};
    }
    ~BackgroundTest() override { BackgroundDevice::registered().hold_busy(false); }

    // Gives the ring's device something to do, for which nobody waits.
    static void start_work(RingGuest& ring, protocol::Handle buffer) {
        wire::Writer writer;
        ASSERT_TRUE(encode(
            writer, protocol::SetTensorRequest{bytes_of(buffer, 0, 64), 0, {kDataRegion, 0, 64}}));
        ring.send(protocol::Command::kSetTensor, writer.bytes());
    }
};

TEST_F(BackgroundTest, WhatIsQueuedIsDoneWhenTheDeviceIs) {
    greet();
    ASSERT_TRUE(stream.open_stream({0}));
    const protocol::Handle buffer = alloc(64);
    BackgroundDevice::registered().hold_busy(true);
    start_work(stream, buffer);
    EXPECT_TRUE(stream.get_device_memory({0})) << "answers come first";
    const uint64_t before = stream.ring.completed();
    BackgroundDevice::registered().hold_busy(false);
    start_work(stream, buffer);
    const auto end = steady_clock::now() + std::chrono::seconds(20);
    while (stream.ring.completed() < before + 2 && steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(stream.ring.completed(), 4U);
}

// Each of them looked at its ring without a break, and kept a processor busy.
TEST_F(BackgroundTest, OneOfManyStreamsPollsWhileTheDeviceComputes) {
    greet();
    const protocol::Handle buffer = alloc(64);
    std::list<RingGuest> streams(6);
    uint32_t number = 2;
    for (RingGuest& each : streams) {
        open(number++, each);
        ASSERT_TRUE(each.open_stream({0}));
    }
    BackgroundDevice::registered().hold_busy(true);
    for (RingGuest& each : streams)
        start_work(each, buffer);
    constexpr std::chrono::milliseconds kWhile(400);  // less than the host's patience
    const auto start = steady_clock::now();
    const auto used = processor_time();
    std::this_thread::sleep_for(kWhile);
    EXPECT_LT(processor_time() - used, (steady_clock::now() - start) * 14 / 10)
        << "more than one processor";
}

}  // namespace
}  // namespace virtgpu::backend
