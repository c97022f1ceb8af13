#include "frontend/connection.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <thread>

#include "tests/unit/frontend/fake_host.h"
#include "tests/unit/frontend/plugin_host.h"

namespace virtgpu::frontend {
namespace {

using protocol::Command;
using test::kDeviceBytes;
using test::RingAnswer;

// Values that ggml's allocator asserts.
TEST(ConnectionTest, DevicesThatGgmlWouldAbortOnAreRefused) {
    for (const auto& [alignment, max_size] : std::vector<std::pair<uint64_t, uint64_t>>{
             {0, kDeviceBytes}, {48, kDeviceBytes}, {uint64_t{1} << 40, kDeviceBytes}, {64, 0}}) {
        test::RecordingLog log;
        protocol::DeviceInfo device;
        device.name = "odd";
        device.buffer_type = {"odd", alignment, max_size};
        protocol::HelloReply reply;
        reply.devices = {device};
        test::FakeHost host([&](Command, std::span<const std::byte>) { return test::ok(reply); });
        const auto connection = Connection::open(host.make_transport(), log);
        ASSERT_FALSE(connection) << alignment << ", " << max_size;
        EXPECT_THAT(connection.error().message(), testing::HasSubstr("odd"));
    }
}

TEST(ConnectionTest, HostWithoutWorkerSaysWhy) {
    test::RecordingLog log;
    test::FakeHost host([](Command, std::span<const std::byte>) { return RingAnswer{}; });
    host.load_code = 4;
    const auto connection = Connection::open(host.make_transport(), log);
    ASSERT_FALSE(connection);
    EXPECT_THAT(connection.error().message(), testing::HasSubstr("the log of ggml-virtgpu-host"));
}

// It has others of the guest to leave the processor to.
TEST(ConnectionTest, WithOneProcessorNobodyPolls) {
    cpu_set_t before;
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    protocol::DeviceInfo device;
    device.buffer_type = {"CPU", 64, kDeviceBytes};
    protocol::HelloReply hello;
    hello.devices = {device};
    hello.polling = 100000;
    test::RecordingLog log;
    test::FakeHost host([&](Command command, std::span<const std::byte>) {
        if (command == Command::kHello)
            return test::ok(hello);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return test::ok(protocol::GetDeviceMemoryReply{});
    });
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(::sched_getcpu()), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    const auto connection = Connection::open(host.make_transport(), log);
    EXPECT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
    ASSERT_TRUE(connection) << connection.error().message();
    const uint64_t sleeps = (*connection)->traffic().sleeps;
    EXPECT_TRUE((*connection)->commands().get_device_memory({0}));
    EXPECT_GT((*connection)->traffic().sleeps, sleeps);
}

}  // namespace
}  // namespace virtgpu::frontend
