// Rings of a device that computes in the background.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <list>

#include "tests/unit/backend/background_device.h"
#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

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

class BackgroundGraphTest : public BackgroundTest {
 protected:
    static ggml_tensor* scaled(ggml_context* context) {
        return ggml_scale(context, ggml_new_tensor_1d(context, GGML_TYPE_F32, 64), 2.0F);
    }

    // Graph 1 of the stream.
    void define() {
        greet();
        ASSERT_TRUE(stream.open_stream({0}));
        const NativeGraph native(scaled);
        wire::Writer writer;
        ASSERT_TRUE(encode(writer, native.describe(alloc(native.size()))));
        ASSERT_TRUE(data().copy_in(0, writer.bytes()));
        ASSERT_TRUE(stream.define_graph({1, {kDataRegion, 0, writer.bytes().size()}}));
    }

    // Without waiting for it.
    void run() {
        wire::Writer writer;
        ASSERT_TRUE(encode(writer, protocol::RunGraphRequest{1, false}));
        stream.send(protocol::Command::kRunGraph, writer.bytes());
    }

    bool graphs_become(uint64_t count) {
        const auto end = steady_clock::now() + std::chrono::seconds(20);
        while (context_->summary().graphs < count && steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return context_->summary().graphs >= count;
    }
};

// Each of them would lengthen the time that the last one may take.
TEST_F(BackgroundGraphTest, NoMoreThan64GraphsAreLeftToTheDevice) {
    define();
    BackgroundDevice::registered().hold_busy(true);
    for (int i = 0; i < 70; ++i)
        run();
    EXPECT_TRUE(graphs_become(64));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_EQ(context_->summary().graphs, 64U);
    BackgroundDevice::registered().hold_busy(false);
    EXPECT_TRUE(graphs_become(70));
    EXPECT_GT(context_->summary().stalls, 0U);
}

// ggml's CPU backend would free the memory that it works in twice.
TEST_F(BackgroundGraphTest, ABackendThatThrewIsNotFreed) {
    BackgroundDevice& device = BackgroundDevice::registered();
    ASSERT_EQ(device.open_streams(), 0U);
    define();
    device.be_short_of_memory(true);
    run();
    const auto end = steady_clock::now() + std::chrono::seconds(20);
    while (failure().empty() && steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_NE(failure().find("bad_alloc"), std::string::npos) << failure();
    EXPECT_FALSE(device.has_abort_callback()) << "what it names is gone";
    context_.reset();
    EXPECT_EQ(device.open_streams(), 1U);
    device.be_short_of_memory(false);
    device.free_streams();
}

// A context whose rings poll as the test wants it, and a watchdog.
class PollingTest : public testing::Test {
 protected:
    void SetUp() override {
        BackgroundDevice::registered();
        CatalogueOptions options;
        options.backends = {"cpu", BackgroundDevice::kName};
        options.devices = {BackgroundDevice::kDevice};
        auto catalogue = Catalogue::load(options, log_);
        ASSERT_TRUE(catalogue) << catalogue.error().message();
        catalogue_ = std::move(*catalogue);
        regions_->regions[kDataRegion] = make_region(kDataBytes);
        session_ = std::make_shared<Session>(5, *catalogue_, regions_, Limits{}, microseconds(0),
                                             std::make_shared<MemoryAccount>(uint64_t{1} << 30),
                                             std::make_shared<GraphUids>(0),
                                             /*trace=*/nullptr, log_);
        session_->set_watchdog(&watchdog_);
        context_ =
            std::make_unique<Context>(session_, 1, polling_, [](uint32_t, const std::string&) {});
    }
    ~PollingTest() override { BackgroundDevice::registered().hold_busy(false); }

    void open(uint32_t number, RingGuest& guest) {
        ASSERT_TRUE(context_->open_ring(number, guest.host_memory(), guest.host_signals()));
    }

    template <typename Condition>
    static bool becomes_true(Condition condition) {
        const auto end = steady_clock::now() + std::chrono::seconds(20);
        while (steady_clock::now() < end) {
            if (condition())
                return true;
            std::this_thread::sleep_for(microseconds(100));
        }
        return false;
    }

    // No ring polls from now on.
    bool take_turn() {
        return becomes_true([this] { return !polling_.taken->exchange(true); });
    }

    RecordingLog log_;
    std::atomic<uint32_t> hung_{0};
    Watchdog watchdog_{std::chrono::milliseconds(1500), std::chrono::milliseconds(500),
                       [this](uint32_t context) { hung_ = context; }};
    Polling polling_{std::chrono::seconds(100), std::chrono::seconds(100)};
    std::shared_ptr<TestRegions> regions_ = std::make_shared<TestRegions>();
    std::unique_ptr<Catalogue> catalogue_;
    std::shared_ptr<Session> session_;
    RingGuest control_;
    RingGuest stream_;
    RingGuest other_;
    std::unique_ptr<Context> context_;
};

class TendedRingTest : public PollingTest {
 protected:
    // Ring 0's thread sleeps, and the stream's looks at both rings.
    void SetUp() override {
        PollingTest::SetUp();
        ASSERT_TRUE(take_turn());
        open(0, control_);
        open(1, stream_);
        open(2, other_);
        ASSERT_TRUE(control_.hello(hello_of_this_ggml()));
        const auto allocated = control_.alloc_buffer({0, 64});
        ASSERT_TRUE(allocated);
        buffer_ = allocated->buffer;
        ASSERT_TRUE(stream_.open_stream({0}));
        ASSERT_TRUE(other_.open_stream({0}));
        for (RingGuest* const ring : {&control_, &stream_, &other_})
            ASSERT_TRUE(becomes_true([&] { return ring->ring.doorbell_needed(); }));
        *polling_.taken = false;
        ASSERT_TRUE(stream_.get_device_memory({0}));
        ASSERT_TRUE(becomes_true([&] { return polling_.taken->load(); }));
    }

    // Something that ring 0's device does in the background, taken by the stream's thread.
    uint64_t have_work_tended() {
        BackgroundDevice::registered().hold_busy(true);
        wire::Writer writer;
        EXPECT_TRUE(encode(
            writer, protocol::SetTensorRequest{bytes_of(buffer_, 0, 64), 0, {kDataRegion, 0, 64}}));
        const uint64_t sequence =
            **control_.ring.send(protocol::Command::kSetTensor, 0, writer.bytes());
        wire::RingMemory memory = control_.host_memory();
        EXPECT_TRUE(becomes_true(
            [&] { return memory.request_head().load() == memory.request_tail().load(); }));
        EXPECT_LT(control_.ring.completed(), sequence);
        return sequence;
    }

    bool is_done(uint64_t sequence) {
        return becomes_true([&] { return control_.ring.completed() >= sequence; });
    }

    protocol::Handle buffer_;
};

// It goes on to a request of its own that does not come after that of ring 0, and then sleeps.
TEST_F(TendedRingTest, WhoTendsRing0SaysWhatIsDoneBeforeItLeaves) {
    const uint64_t sequence = have_work_tended();
    wire::Writer writer;
    ASSERT_TRUE(encode(writer, protocol::AwaitRingRequest{2, 2}));
    ASSERT_TRUE(stream_.ring.send(protocol::Command::kAwaitRing, 0, writer.bytes()).value());
    ASSERT_TRUE(take_turn()) << "it found the request";
    BackgroundDevice::registered().hold_busy(false);
    ASSERT_TRUE(other_.get_device_memory({0}));
    ASSERT_TRUE(becomes_true([&] { return stream_.ring.doorbell_needed(); })) << "it sleeps";
    control_.ring.want(sequence);
    EXPECT_TRUE(is_done(sequence));
}

TEST_F(TendedRingTest, Ring0sThreadSaysWhatIsDoneWhenItIsAsked) {
    const uint64_t sequence = have_work_tended();
    BackgroundDevice::registered().hold_busy(false);
    ASSERT_TRUE(control_.ring.ask_for_completion(sequence));
    control_.ring_doorbell();
    EXPECT_TRUE(is_done(sequence));
}

// Another of the guest's threads may fill ring 0 for ever.
TEST_F(PollingTest, ATendedRingIsServedOneRequestAtATime) {
    const StopAsked stop = [] { return Stop::kNever; };
    RingServer server(wire::HostRing(control_.host_memory()), 0, {}, control_.host_signals(),
                      session_, [](uint32_t, const std::string&) {});
    const auto tend_behind = [&](protocol::Command command, const auto& request, int count) {
        wire::Writer writer;
        ASSERT_TRUE(encode(writer, request));
        for (int i = 0; i < count; ++i)
            control_.send(command, writer.bytes());
        for (int i = 0; i < count; ++i) {
            const uint64_t before = control_.ring.completed();
            EXPECT_TRUE(server.tend(stop));
            EXPECT_EQ(control_.ring.completed(), before + 1);
        }
        EXPECT_FALSE(server.tend(stop));
    };
    tend_behind(protocol::Command::kHello, hello_of_this_ggml(), 1);
    tend_behind(protocol::Command::kGetDeviceMemory, protocol::GetDeviceMemoryRequest{0}, 3);
}

// It was the time of the graph that waited for them.
TEST_F(PollingTest, GraphsThatAnotherOneWaitsForHaveTheirOwnTime) {
    open(0, control_);
    open(1, stream_);
    ASSERT_TRUE(control_.hello(hello_of_this_ggml()));
    ASSERT_TRUE(stream_.open_stream({0}));
    const NativeGraph native([](ggml_context* context) {
        return ggml_scale(context, ggml_new_tensor_1d(context, GGML_TYPE_F32, 64), 2.0F);
    });
    const auto allocated = control_.alloc_buffer({0, native.size()});
    ASSERT_TRUE(allocated);
    wire::Writer graph;
    ASSERT_TRUE(encode(graph, native.describe(allocated->buffer)));
    ASSERT_TRUE(regions_->regions[kDataRegion]->copy_in(0, graph.bytes()));
    ASSERT_TRUE(stream_.define_graph({1, {kDataRegion, 0, graph.bytes().size()}}));
    BackgroundDevice::registered().hold_busy(true);
    wire::Writer run;
    ASSERT_TRUE(encode(run, protocol::RunGraphRequest{1, false}));
    for (int i = 0; i < 66; ++i)
        stream_.send(protocol::Command::kRunGraph, run.bytes());
    EXPECT_TRUE(becomes_true([&] { return session_->counters().graphs == 64; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(3500));
    EXPECT_EQ(hung_, 0U);
    BackgroundDevice::registered().hold_busy(false);
    EXPECT_TRUE(becomes_true([&] { return session_->counters().graphs == 66; }));
}

}  // namespace
}  // namespace virtgpu::backend
