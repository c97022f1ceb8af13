// Commands over a ring: what they do, and what they refuse.
#include <gtest/gtest.h>

#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::backend {
namespace {

class CommandsTest : public HostTest {
 protected:
    std::string read(const protocol::TensorData& tensor, uint64_t offset, uint64_t size) {
        if (!control.get_tensor({tensor, offset, {kDataRegion, 100, size}}))
            return control.last_message;
        std::string text(size, ' ');
        EXPECT_TRUE(data().copy_out(100, std::as_writable_bytes(std::span(text))));
        return text;
    }

    void write(const protocol::TensorData& tensor, uint64_t offset, std::string_view text) {
        ASSERT_TRUE(data().copy_in(0, std::as_bytes(std::span(text))));
        const auto set = control.set_tensor({tensor, offset, {kDataRegion, 0, text.size()}});
        ASSERT_TRUE(set) << set.error().message();
    }
};

// For replies that must not come; the fixture's patience would be too long.
bool answers(RingGuest& guest) {
    return guest.receive(std::chrono::milliseconds(300)).has_value();
}

TEST_F(CommandsTest, HelloTellsVersionsAndDevices) {
    const auto reply = control.hello(hello_of_this_ggml());
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->level2_version, 1U);
    EXPECT_EQ(reply->ggml, ggml_version());
    ASSERT_EQ(reply->devices.size(), 1U);
    EXPECT_EQ(reply->devices[0].name, "CPU");
    EXPECT_EQ(reply->devices[0].type, protocol::DeviceType::kCpu);
    EXPECT_GT(reply->devices[0].memory_total, 0U);
    EXPECT_GE(reply->devices[0].buffer_type.alignment, 16U);
    EXPECT_NE(log.text().find("guest has frontend test"), std::string::npos);
}

TEST_F(CommandsTest, HelloTellsWhatTheDevicesHave) {
    const auto before = std::chrono::steady_clock::now().time_since_epoch();
    const auto reply = control.hello(hello_of_this_ggml());
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_GE(std::chrono::nanoseconds(reply->clock), before);
    const protocol::DeviceInfo& device = reply->devices.at(0);
    EXPECT_TRUE(device.shares_memory);
    const auto list =
        reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_reg_by_name("CPU"), "ggml_backend_get_features"));
    ASSERT_NE(list, nullptr);
    size_t count = 0;
    for (const auto* one = list(ggml_backend_reg_by_name("CPU")); one->name != nullptr; ++one) {
        ASSERT_LT(count, device.features.size());
        EXPECT_EQ(device.features[count].name, one->name);
        EXPECT_EQ(device.features[count++].value, one->value);
    }
    EXPECT_EQ(device.features.size(), count);
    EXPECT_GT(count, 0U);
}

TEST_F(CommandsTest, AGuestsVersionForgesNoLogLines) {
    auto hello = hello_of_this_ggml();
    hello.frontend = "1.0\nerror: \x1b[2J";
    ASSERT_TRUE(control.hello(hello));
    EXPECT_NE(log.text().find("frontend 1.0?error: ?[2J,"), std::string::npos) << log.text();
}

TEST_F(CommandsTest, BuffersKeepWhatIsWritten) {
    greet();
    const protocol::Handle buffer = alloc(4096);
    ASSERT_TRUE(control.clear_buffer({buffer, 'x'}));
    const auto tensor = bytes_of(buffer, 1000, 10);
    write(tensor, 2, "hello");
    EXPECT_EQ(read(tensor, 0, 10), "xxhelloxxx");
    ASSERT_TRUE(control.memset_tensor({tensor, 4, 3, 'y'}));
    EXPECT_EQ(read(tensor, 0, 10), "xxheyyyxxx");
    EXPECT_TRUE(control.copy_tensor({tensor, bytes_of(buffer, 2000, 10)}));
    EXPECT_EQ(read(bytes_of(buffer, 2000, 10), 0, 10), "xxheyyyxxx");
    ASSERT_TRUE(control.set_buffer_usage({buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS}));
    protocol::Tensor placed;
    placed.type = tensor.type;
    placed.ne = tensor.ne;
    placed.nb = tensor.nb;
    placed.buffer = buffer;
    ASSERT_TRUE(control.init_tensor({{{placed, {}, 0, 0, 0}}}));
    EXPECT_EQ(context_->summary().bytes_in, 5U);
    ASSERT_TRUE(control.free_buffer({buffer}));
    EXPECT_TRUE(failure().empty()) << failure();
}

TEST_F(CommandsTest, EmptyBuffersAndTensorsAreFine) {
    greet();
    const protocol::Handle buffer = alloc(0);
    ASSERT_TRUE(control.clear_buffer({buffer, 1}));
    EXPECT_EQ(read(bytes_of(buffer, 0, 0), 0, 0), "");
    ASSERT_TRUE(control.free_buffer({buffer}));
}

// ggml pull request 1103: the destination was smaller than the source.
TEST_F(CommandsTest, PullRequest1103CopiesOnlyBetweenEqualLayouts) {
    greet();
    const protocol::Handle buffer = alloc(4096);
    EXPECT_FALSE(control.copy_tensor({bytes_of(buffer, 0, 100), bytes_of(buffer, 200, 50)}));
    EXPECT_NE(failure().find("different layouts"), std::string::npos) << failure();
}

TEST_F(CommandsTest, CopiesOntoThemselvesAreRefused) {
    greet();
    const protocol::Handle buffer = alloc(4096);
    EXPECT_FALSE(control.copy_tensor({bytes_of(buffer, 0, 100), bytes_of(buffer, 50, 100)}));
    EXPECT_NE(failure().find("overlap"), std::string::npos) << failure();
}

TEST_F(CommandsTest, SupportsWhatTheDeviceSupports) {
    greet();
    NativeGraph native([](ggml_context* context) {
        return ggml_add(context, ggml_new_tensor_1d(context, GGML_TYPE_F32, 8),
                        ggml_new_tensor_1d(context, GGML_TYPE_F32, 8));
    });
    auto node = native.describe({}).tensors;
    EXPECT_TRUE(control.supports_op({0, node})->supported);
    EXPECT_FALSE(control.offloads_op({0, node})->offloads);
    EXPECT_EQ(control.get_alloc_size({0, node})->size, 32U);
    node.back().tensor.op = GGML_OP_CUSTOM;
    EXPECT_FALSE(control.supports_op({0, node})->supported);
    node.back().tensor.op = 5000;
    EXPECT_FALSE(control.supports_op({0, node})->supported);
    EXPECT_TRUE(failure().empty()) << failure();
}

TEST_F(CommandsTest, ABufferLargerThanTheDeviceIsRefusedWithNumbers) {
    greet();
    EXPECT_FALSE(control.alloc_buffer({0, uint64_t{1} << 50}));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
    EXPECT_NE(control.last_message.find("does not fit CPU"), std::string::npos)
        << control.last_message;
    EXPECT_TRUE(control.get_device_memory({0}));
}

class SmallLimitsTest : public CommandsTest {
 protected:
    SmallLimitsTest() { limits_ = {.buffers = 2, .memory_bytes = 1000}; }
};

TEST_F(SmallLimitsTest, BuffersAndMemoryAreCounted) {
    greet();
    const protocol::Handle first = alloc(600);
    EXPECT_FALSE(control.alloc_buffer({0, 401}));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
    alloc(400);
    EXPECT_FALSE(control.alloc_buffer({0, 0}));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
    ASSERT_TRUE(control.free_buffer({first}));
    alloc(600);
}

TEST_F(CommandsTest, CommandsBeforeHello) {
    EXPECT_FALSE(control.alloc_buffer({0, 10}));
    EXPECT_NE(failure().find("before HELLO"), std::string::npos) << failure();
}

TEST_F(CommandsTest, ASecondHello) {
    greet();
    EXPECT_FALSE(control.hello(hello_of_this_ggml()));
    EXPECT_NE(failure().find("second HELLO"), std::string::npos) << failure();
}

TEST_F(CommandsTest, UseAfterFree) {
    greet();
    const protocol::Handle buffer = alloc(64);
    ASSERT_TRUE(control.free_buffer({buffer}));
    EXPECT_NE(alloc(64), buffer);
    EXPECT_FALSE(control.free_buffer({buffer}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("FREE_BUFFER"), std::string::npos) << failure();
}

TEST_F(CommandsTest, ReadsOutsideTheTensor) {
    greet();
    const auto tensor = bytes_of(alloc(4096), 0, 10);
    EXPECT_FALSE(control.get_tensor({tensor, 8, {kDataRegion, 0, 3}}));
    EXPECT_NE(failure().find("GET_TENSOR"), std::string::npos) << failure();
}

TEST_F(CommandsTest, OffsetsThatWrap) {
    greet();
    const auto tensor = bytes_of(alloc(4096), 0, 10);
    EXPECT_FALSE(control.memset_tensor({tensor, UINT64_MAX, 2, 0}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

TEST_F(CommandsTest, WritesOutsideTheRegion) {
    greet();
    const auto tensor = bytes_of(alloc(4096), 0, 10);
    EXPECT_FALSE(control.set_tensor({tensor, 0, {kDataRegion, kDataBytes - 4, 10}}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

TEST_F(CommandsTest, UnknownRegionDeviceAndCommand) {
    greet();
    RingGuest third;
    open(2, third);
    third.send(static_cast<protocol::Command>(15), {});
    const auto reply = third.receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("unknown command 15"), std::string::npos) << failure();
}

TEST_F(CommandsTest, AFailedContextServesNoRing) {
    greet();
    EXPECT_FALSE(control.get_device_memory({9}));
    EXPECT_NE(failure().find("no device 9"), std::string::npos) << failure();
    stream.send(protocol::Command::kGetDeviceMemory, {});
    EXPECT_FALSE(answers(stream));
    RingGuest late;
    EXPECT_FALSE(context_->open_ring(3, late.host_memory(), late.host_signals()));
}

TEST_F(CommandsTest, Ring0IsNoStream) {
    greet();
    EXPECT_FALSE(control.open_stream({0}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

TEST_F(CommandsTest, AGraphWithoutAStream) {
    greet();
    EXPECT_FALSE(stream.define_graph({1, {kDataRegion, 0, 8}}));
    EXPECT_EQ(stream.last_status, protocol::Status::kMalformed);
}

}  // namespace
}  // namespace virtgpu::backend
