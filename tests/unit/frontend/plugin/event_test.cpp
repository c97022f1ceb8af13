// Points in a stream that others wait for.
#include <thread>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

class EventTest : public PluginTest {
 protected:
    EventTest() : EventTest(HostSettings{}) {}
    explicit EventTest(HostSettings settings) : PluginTest(std::move(settings)) {}

    void record(ggml_backend_t backend) { ggml_backend_event_record(event_.get(), backend); }

    void ask(const ggml_tensor* tensor, std::array<uint8_t, 16>& to) {
        ggml_backend_tensor_get_async(backend_.get(), tensor, to.data(), 0, to.size());
    }
    static void fill(ggml_tensor* tensor, uint8_t value) {
        const std::vector<uint8_t> values(ggml_nbytes(tensor), value);
        ggml_backend_tensor_set(tensor, values.data(), 0, values.size());
    }

    std::vector<protocol::AwaitRingRequest> awaited(ggml_backend_t waiting) {
        ggml_backend_synchronize(waiting);
        return host_.requests<protocol::AwaitRingRequest>(Command::kAwaitRing);
    }

    // The second makes the buffer large enough to be shared.
    ggml_tensor* const tensor_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, 16);
    ggml_tensor* const other_ =
        ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, int64_t{128} * 1024);
    const GgmlBuffer buffer_ = allocate();
    GgmlBackend backend_ = open_backend();
    const GgmlBackend second_ = open_backend();
    GgmlEvent event_{ggml_backend_event_new(device_)};
};

TEST_F(EventTest, TheDeviceHasThem) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device_, &props);
    EXPECT_TRUE(props.caps.events);
    EXPECT_TRUE(event_);
}

TEST_F(EventTest, AnotherStreamGoesOnBehindThePoint) {
    const std::array<uint8_t, 16> values{};
    ggml_backend_tensor_set_async(backend_.get(), tensor_, values.data(), 0, values.size());
    record(backend_.get());
    ggml_backend_tensor_set_async(backend_.get(), tensor_, values.data(), 0, values.size());
    ggml_backend_event_wait(second_.get(), event_.get());
    const auto awaits = awaited(second_.get());
    ASSERT_EQ(awaits.size(), 1U);
    EXPECT_EQ(awaits[0].ring, 1U);
    EXPECT_EQ(awaits[0].sequence, 2U) << "OPEN_STREAM and SET_TENSOR, not what came later";
}

TEST_F(EventTest, WaitingDoesNotBlockTheApplication) {
    stop_host();
    record(backend_.get());
    ggml_backend_event_wait(second_.get(), event_.get());
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
    EXPECT_EQ(awaited(second_.get()).size(), 1U);
}

TEST_F(EventTest, AStreamIsBehindItsOwnPointsInAnyCase) {
    record(backend_.get());
    ggml_backend_event_wait(backend_.get(), event_.get());
    EXPECT_EQ(awaited(backend_.get()).size(), 0U);
}

TEST_F(EventTest, TheLastRecordCounts) {
    record(backend_.get());
    record(second_.get());
    ggml_backend_event_wait(backend_.get(), event_.get());
    ggml_backend_event_wait(second_.get(), event_.get());
    ggml_backend_synchronize(second_.get());
    const auto awaits = awaited(backend_.get());
    ASSERT_EQ(awaits.size(), 1U);
    EXPECT_EQ(awaits[0].ring, 2U);
}

TEST_F(EventTest, WhatWasNeverRecordedIsNotWaitedFor) {
    ggml_backend_event_wait(second_.get(), event_.get());
    ggml_backend_event_synchronize(event_.get());
    EXPECT_EQ(awaited(second_.get()).size(), 0U);
}

TEST_F(EventTest, AStreamThatIsGoneHasFinished) {
    record(backend_.get());
    backend_.reset();
    ggml_backend_event_wait(second_.get(), event_.get());
    ggml_backend_event_synchronize(event_.get());
    EXPECT_EQ(awaited(second_.get()).size(), 0U);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(EventTest, SynchronisingDeliversWhatWasAskedForBefore) {
    fill(tensor_, 5);
    std::array<uint8_t, 16> before{};
    std::array<uint8_t, 16> after{};
    ask(tensor_, before);
    record(backend_.get());
    ask(tensor_, after);
    ggml_backend_event_synchronize(event_.get());
    EXPECT_THAT(before, testing::Each(5));
    EXPECT_THAT(after, testing::Each(0));
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(after, testing::Each(5));
}

TEST_F(EventTest, SynchronisingWaitsForThePointAlone) {
    const std::array<uint8_t, 16> values{};
    record(backend_.get());
    ggml_backend_event_synchronize(event_.get());
    stop_host();
    ggml_backend_tensor_set_async(backend_.get(), tensor_, values.data(), 0, values.size());
    ggml_backend_event_synchronize(event_.get());
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
}

// Hosts do not know of each other, so the application waits.
TEST_F(EventTest, AStreamOfAnotherHostWaitsHere) {
    PluginHost host({});
    Registry registry(ggml_private::PluginAbi::kVersion3, {}, log_);
    auto connection = Connection::open(host.fake.make_transport(), log_);
    ASSERT_TRUE(connection);
    registry.add(std::move(*connection));
    const GgmlBackend stranger(ggml_backend_dev_init(registry.device(0), nullptr));
    host_.fake.serves_rings = false;
    const std::array<uint8_t, 16> values{7};
    ggml_backend_tensor_set_async(backend_.get(), tensor_, values.data(), 0, values.size());
    record(backend_.get());
    const std::jthread later([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        host_.fake.serves_rings = true;
    });
    ggml_backend_event_wait(stranger.get(), event_.get());
    EXPECT_EQ(host_.count(Command::kSetTensor), 1) << "it was waited for";
    ggml_backend_synchronize(stranger.get());
    EXPECT_EQ(host.count(Command::kAwaitRing), 0);
}

TEST_F(EventTest, ALostHostIsNotWaitedFor) {
    fill(tensor_, 5);
    std::array<uint8_t, 16> asked{9};
    stop_host();
    ask(tensor_, asked);
    record(backend_.get());
    ggml_backend_event_synchronize(event_.get());
    EXPECT_THAT(asked, testing::Each(0));
    ggml_backend_event_wait(second_.get(), event_.get());
    record(second_.get());
}

class SharedEventTest : public EventTest {
 protected:
    SharedEventTest() : EventTest(HostSettings{.shares_memory = true}) {}
};

TEST_F(SharedEventTest, SynchronisingDeliversWhatWasAskedForBefore) {
    fill(tensor_, 5);
    std::array<uint8_t, 16> before{};
    std::array<uint8_t, 16> after{};
    ask(tensor_, before);
    record(backend_.get());
    EXPECT_THAT(before, testing::Each(0));
    ask(tensor_, after);
    ggml_backend_event_synchronize(event_.get());
    EXPECT_THAT(before, testing::Each(5));
    EXPECT_THAT(after, testing::Each(0));
    EXPECT_EQ(host_.count(Command::kGetTensor), 1);
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(after, testing::Each(5));
    EXPECT_EQ(host_.count(Command::kGetTensor), 1);
}

}  // namespace
}  // namespace virtgpu::frontend
