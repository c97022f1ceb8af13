#include "frontend/connection.h"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace virtgpu::frontend
