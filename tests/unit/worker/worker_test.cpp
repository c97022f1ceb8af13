#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <string>

#include "tests/unit/worker/worker_process.h"
#include "wire/generated/codec.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/sealed_copy.h"

namespace virtgpu::worker {
namespace {

using protocol::OpenStatus;
using protocol::WorkerMessage;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr uint32_t kContext = 3;
constexpr uint32_t kRingRegion = 10;
constexpr milliseconds kSoon(5000);

class WorkerTest : public ::testing::Test {
 protected:
    void open_context(WorkerProcess& worker, uint32_t context = kContext) {
        worker.send(WorkerMessage::kOpenContext, protocol::WorkerOpenContextRequest{context});
        const auto opened = worker.expect<protocol::WorkerContextOpenedRequest>();
        ASSERT_EQ(opened.context, context) << worker.log();
        ASSERT_EQ(opened.status, OpenStatus::kOk);
    }

    void open_ring(WorkerProcess& worker, WorkerRing& ring, uint32_t number = 0,
                   uint32_t context = kContext) {
        worker.send(WorkerMessage::kAddRegion,
                    protocol::WorkerAddRegionRequest{context, kRingRegion + number,
                                                     ring.memory.region->size(), 0},
                    {ring.memory.file.number(), loan_.number()});
        EXPECT_EQ(try_open(worker, ring, number, context), OpenStatus::kOk) << worker.log();
    }

    OpenStatus try_open(WorkerProcess& worker, WorkerRing& ring, uint32_t number = 0,
                        uint32_t context = kContext) {
        worker.send(WorkerMessage::kOpenRing,
                    protocol::WorkerOpenRingRequest{context, number, kRingRegion + number,
                                                    WorkerRing::kBytes, WorkerRing::kBytes},
                    {ring.doorbell.number(), ring.completion.number()});
        const auto opened = worker.expect<protocol::WorkerRingOpenedRequest>();
        EXPECT_EQ(opened.context, context) << worker.log();
        EXPECT_EQ(opened.ring, number);
        return opened.status;
    }

    static protocol::HelloRequest hello() {
        protocol::HelloRequest hello;
        hello.level2_version = 1;
        hello.ops = {{0, "NONE"}};
        hello.types = {{0, "f32"}};
        return hello;
    }

    static bool log_has(const WorkerProcess& worker, const std::string& text) {
        const auto end = std::chrono::steady_clock::now() + kSoon;
        while (std::chrono::steady_clock::now() < end) {
            if (worker.log().find(text) != std::string::npos)
                return true;
            std::this_thread::sleep_for(milliseconds(5));
        }
        return false;
    }

    wire::FileDescriptor loan_{::memfd_create("loan", MFD_CLOEXEC)};
};

TEST_F(WorkerTest, ServesAContextAndSaysWhatItDid) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    const auto reply = ring.hello(hello());
    ASSERT_TRUE(reply) << reply.error().message() << worker.log();
    ASSERT_EQ(reply->devices.size(), 1U);
    EXPECT_EQ(reply->devices[0].name, "CPU");
    EXPECT_TRUE(ring.alloc_buffer({0, size_t{1} << 20}));
    worker.send(WorkerMessage::kCloseContext, protocol::WorkerCloseContextRequest{kContext});
    EXPECT_TRUE(log_has(
        worker, "context closed: context=3 graphs=0 nodes=0 defined=0 edited=0 requests=2 "))
        << worker.log();
    open_context(worker);
}

TEST_F(WorkerTest, WakesASleepingGuestByTheCompletionEvent) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    ASSERT_TRUE(ring.hello(hello()));
    eventfd_t count = 0;
    EXPECT_NE(::eventfd_read(ring.completion.number(), &count), 0) << "nobody slept";
    ASSERT_TRUE(ring.ring.prepare_wait(2));
    wire::Writer writer;
    writer.number<uint32_t>(0);
    ring.send(protocol::Command::kGetDeviceMemory, writer.bytes());
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (::eventfd_read(ring.completion.number(), &count) != 0 &&
           std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(count, 1U);
}

TEST_F(WorkerTest, ReportsAContextThatBreaksTheProtocolAndServesOthers) {
    WorkerProcess worker;
    WorkerRing ring;
    WorkerRing other;
    open_context(worker);
    open_ring(worker, ring);
    open_context(worker, 4);
    open_ring(worker, other, 0, 4);
    EXPECT_FALSE(ring.alloc_buffer({0, 10}));
    const auto failed = worker.expect<protocol::WorkerContextFailedRequest>();
    EXPECT_EQ(failed.context, kContext);
    EXPECT_THAT(failed.reason, HasSubstr("before HELLO"));
    EXPECT_TRUE(other.hello(hello()));
}

// Until then somebody may still write there.
TEST_F(WorkerTest, EndsALoanWhenNothingUsesTheRegion) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    const wire::FileDescriptor ours(ends[0]);
    wire::FileDescriptor theirs(ends[1]);
    std::swap(loan_, theirs);
    open_ring(worker, ring);
    std::swap(loan_, theirs);
    theirs.reset();
    worker.send(WorkerMessage::kRemoveRegion,
                protocol::WorkerRemoveRegionRequest{kContext, kRingRegion});
    EXPECT_TRUE(ring.hello(hello()));  // the ring goes on, so its region is there
    std::byte nothing{};
    EXPECT_EQ(::read(ours.number(), &nothing, 1), -1);
    worker.send(WorkerMessage::kCloseContext, protocol::WorkerCloseContextRequest{kContext});
    pollfd entry{ours.number(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, static_cast<int>(kSoon.count())), 1);
    EXPECT_EQ(::read(ours.number(), &nothing, 1), 0);
}

TEST_F(WorkerTest, FindsARegionInTheMidstOfItsFile) {
    WorkerProcess worker;
    open_context(worker);
    constexpr uint64_t kOffset = 1 << 20;
    WorkerRing ring;
    const SharedMemory large(2 * kOffset);
    ring.memory.region = *wire::map_region(large.file.number(), kOffset, kOffset);
    worker.send(WorkerMessage::kAddRegion,
                protocol::WorkerAddRegionRequest{kContext, kRingRegion, kOffset, kOffset},
                {large.file.number(), loan_.number()});
    worker.send(WorkerMessage::kAddRegion,
                protocol::WorkerAddRegionRequest{kContext, 99, kOffset + 4096, kOffset},
                {large.file.number(), loan_.number()});
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kOk) << worker.log();
    EXPECT_THAT(worker.log(), HasSubstr("region 99"));
}

// The device process tells the guest of a region while its message to the worker is under way.
TEST_F(WorkerTest, ARequestMayOvertakeTheMessageAboutItsRegion) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    ASSERT_TRUE(ring.hello(hello()));
    const auto buffer = ring.alloc_buffer({0, 64});
    ASSERT_TRUE(buffer);
    SharedMemory late(4096);
    std::jthread messenger([&] {
        std::this_thread::sleep_for(milliseconds(50));
        worker.send(WorkerMessage::kAddRegion,
                    protocol::WorkerAddRegionRequest{kContext, 77, 4096, 0},
                    {late.file.number(), loan_.number()});
    });
    const protocol::TensorData data{0, {16, 1, 1, 1}, {4, 64, 64, 64}, buffer->buffer, 0};
    EXPECT_TRUE(ring.set_tensor({data, 0, {77, 0, 64}})) << ring.last_message;
    EXPECT_FALSE(ring.set_tensor({data, 0, {78, 0, 64}}));
    EXPECT_THAT(ring.last_message, HasSubstr("there is no region 78"));
}

TEST_F(WorkerTest, ServesARingInPiecesOfTheGuestsMemory) {
    WorkerProcess worker;
    open_context(worker);
    WorkerRing ring;
    const uint64_t size = ring.memory.region->size();
    constexpr uint64_t kPage = 4096;
    ASSERT_EQ(size % kPage, 0U);
    // Two files that are not sealed, and each page of the region in the other one, last page first.
    const std::array<SharedMemory, 2> guest{SharedMemory(size, 0), SharedMemory(size, 0)};
    protocol::PieceList list;
    std::vector<wire::MappedPiece> pieces;
    for (uint64_t offset = 0; offset < size; offset += kPage) {
        const auto file = static_cast<uint32_t>(offset / kPage % 2);
        list.pieces.push_back({file, size - kPage - offset, kPage});
        pieces.push_back({guest[file].file.number(), size - kPage - offset, kPage});
    }
    ring.memory.region = *wire::map_pieces(pieces);
    wire::Writer writer;
    ASSERT_TRUE(wire::encode(writer, list));
    const auto table = wire::sealed_copy(writer.bytes());
    ASSERT_TRUE(table);
    worker.send(WorkerMessage::kAddGuestRegion,
                protocol::WorkerAddGuestRegionRequest{kContext, kRingRegion},
                {table->number(), loan_.number(), guest[0].file.number(), guest[1].file.number()});
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kOk) << worker.log();
}

TEST_F(WorkerTest, RefusesPiecesThatAreNotThere) {
    WorkerProcess worker;
    open_context(worker);
    WorkerRing ring;
    const SharedMemory guest(1 << 20, 0);
    for (const protocol::FilePiece& piece :
         {protocol::FilePiece{1, 0, 4096}, protocol::FilePiece{0, 1 << 20, 4096}}) {
        wire::Writer writer;
        ASSERT_TRUE(wire::encode(writer, protocol::PieceList{{piece}}));
        const auto table = wire::sealed_copy(writer.bytes());
        worker.send(WorkerMessage::kAddGuestRegion,
                    protocol::WorkerAddGuestRegionRequest{kContext, kRingRegion},
                    {table->number(), loan_.number(), guest.file.number()});
        EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused);
    }
}

// A file that shrinks after it is mapped would kill the worker with SIGBUS.
TEST_F(WorkerTest, RefusesRegionsThatCouldFault) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    const SharedMemory unsealed(1 << 20, 0);
    worker.send(WorkerMessage::kAddRegion,
                protocol::WorkerAddRegionRequest{kContext, kRingRegion, 1 << 20, 0},
                {unsealed.file.number(), loan_.number()});
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused);
    EXPECT_THAT(worker.log(), HasSubstr("not sealed"));
    const SharedMemory small(1 << 16);
    worker.send(WorkerMessage::kAddRegion,
                protocol::WorkerAddRegionRequest{kContext, kRingRegion, 1 << 20, 0},
                {small.file.number(), loan_.number()});
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused);
    open_ring(worker, ring);
}

TEST_F(WorkerTest, RefusesRingsItCannotServe) {
    WorkerProcess worker;
    WorkerRing ring;
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused) << "no context";
    open_context(worker);
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused) << "no region";
    open_ring(worker, ring);
    EXPECT_EQ(try_open(worker, ring), OpenStatus::kRefused) << "open already";
    worker.send(WorkerMessage::kOpenContext, protocol::WorkerOpenContextRequest{kContext});
    EXPECT_EQ(worker.expect<protocol::WorkerContextOpenedRequest>().status, OpenStatus::kRefused);
}

TEST_F(WorkerTest, ARemovedRegionStaysMappedForItsRing) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    worker.send(WorkerMessage::kRemoveRegion,
                protocol::WorkerRemoveRegionRequest{kContext, kRingRegion});
    EXPECT_TRUE(ring.hello(hello()));
    WorkerRing second;
    EXPECT_EQ(try_open(worker, second), OpenStatus::kRefused);
}

// A virtual machine's programs come and go, and its worker stays.
TEST_F(WorkerTest, ManyContextsLeaveNothingBehind) {
    WorkerProcess worker;
    const auto use = [&](uint32_t context) {
        WorkerRing commands;
        WorkerRing stream;
        open_context(worker, context);
        open_ring(worker, commands, 0, context);
        ASSERT_TRUE(commands.hello(hello()));
        const auto buffer = commands.alloc_buffer({0, size_t{1} << 20});
        ASSERT_TRUE(buffer) << commands.last_message;
        ASSERT_TRUE(commands.clear_buffer({buffer->buffer, 1}));
        open_ring(worker, stream, 1, context);
        ASSERT_TRUE(stream.open_stream({0})) << stream.last_message;
        worker.send(WorkerMessage::kCloseContext, protocol::WorkerCloseContextRequest{context});
    };
    // Threads and files of contexts that end may take a moment.
    const auto once_idle = [&](const WorkerProcess::Resources& idle) {
        const auto end = std::chrono::steady_clock::now() + 4 * kSoon;
        WorkerProcess::Resources now = worker.resources();
        while ((now.threads > idle.threads || now.files > idle.files) &&
               std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(milliseconds(5));
            now = worker.resources();
        }
        return now;
    };
    use(1);
    ASSERT_TRUE(log_has(worker, "context closed: context=1 ")) << worker.log();
    const WorkerProcess::Resources idle = worker.resources();
    uint32_t context = 2;
    while (context <= 50)
        use(context++);
    const WorkerProcess::Resources before = once_idle(idle);
    while (context <= 250)
        use(context++);
    const WorkerProcess::Resources after = once_idle(idle);
    EXPECT_LE(after.files, before.files);
    EXPECT_LE(after.threads, before.threads);
    EXPECT_LT(after.private_kib, before.private_kib + 1024) << "before: " << before.private_kib;
}

TEST_F(WorkerTest, DrainFinishesTheRingsAndEnds) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    ASSERT_TRUE(ring.hello(hello()));
    wire::Writer writer;
    writer.number<uint32_t>(0);
    for (int i = 0; i < 100; ++i)
        ring.send(protocol::Command::kGetDeviceMemory, writer.bytes());
    worker.drain();
    EXPECT_EQ(worker.wait(kSoon), 0) << worker.log();
    for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(ring.ring.receive()->has_value()) << i;
    EXPECT_THAT(worker.log(), HasSubstr("requests=101"));
}

// The device process kills a worker whose socket is closed, and would report that as its death.
TEST_F(WorkerTest, ItsSocketClosesOnlyWithTheProcess) {
    for (int i = 0; i < 10; ++i) {
        WorkerProcess worker;
        worker.drain();
        ASSERT_TRUE(worker.wait_closed());
        worker.signal(SIGKILL);
        EXPECT_EQ(worker.wait(kSoon), 0);
    }
}

TEST_F(WorkerTest, EndsAtOnceWhenTheDeviceProcessIsGone) {
    WorkerProcess worker;
    WorkerRing ring;
    open_context(worker);
    open_ring(worker, ring);
    worker.hang_up();
    EXPECT_EQ(worker.wait(kSoon), 0);
}

TEST_F(WorkerTest, ATerminalsSignalsAreForTheDeviceProcess) {
    WorkerProcess worker;
    open_context(worker);
    worker.signal(SIGTERM);
    worker.signal(SIGINT);
    open_context(worker, 4);
}

// The client of a container holds both eventfds and may do with them as it likes.
TEST_F(WorkerTest, AClientThatAbusesItsEventsHurtsOnlyItself) {
    WorkerProcess worker;
    WorkerRing ring;
    WorkerRing other;
    open_context(worker);
    open_ring(worker, ring);
    open_context(worker, 4);
    open_ring(worker, other, 0, 4);
    ASSERT_TRUE(ring.hello(hello()));
    ::fcntl(ring.doorbell.number(), F_SETFL, 0);
    ::fcntl(ring.completion.number(), F_SETFL, 0);
    ::eventfd_write(ring.completion.number(), UINT64_MAX - 1);
    ASSERT_TRUE(ring.ring.prepare_wait(2));
    EXPECT_TRUE(ring.get_device_memory({0}));
    EXPECT_TRUE(other.hello(hello()));
    worker.send(WorkerMessage::kCloseContext, protocol::WorkerCloseContextRequest{kContext});
    EXPECT_TRUE(log_has(worker, "context closed: context=3")) << worker.log();
}

TEST_F(WorkerTest, WrongOptionsEndWithAMessage) {
    WorkerProcess worker({"--backend", "nope"});
    EXPECT_EQ(worker.wait(kSoon), 1);
    EXPECT_THAT(worker.log(), HasSubstr("no ggml backend is called 'nope'"));
    WorkerProcess check({"--check", "--device", "CUDA9"});
    EXPECT_EQ(check.wait(kSoon), 1);
    EXPECT_THAT(check.log(), HasSubstr("no device is called 'CUDA9'"));
    WorkerProcess good({"--check", "--backend", "cpu"});
    EXPECT_EQ(good.wait(kSoon), 0) << good.log();
}

TEST_F(WorkerTest, AHostProgramOfAnotherVersionIsRefused) {
    WorkerProcess worker({"--backend", "cpu", "--host-version", "0.0.1"});
    EXPECT_EQ(worker.wait(kSoon), 1);
    EXPECT_THAT(worker.log(), HasSubstr("restart ggml-virtgpu-host after an upgrade"));
    WorkerProcess check({"--check", "--backend", "cpu", "--host-version", "0.0.1"});
    EXPECT_EQ(check.wait(kSoon), 1);
    WorkerProcess good({"--check", "--backend", "cpu", "--host-version", VIRTGPU_VERSION});
    EXPECT_EQ(good.wait(kSoon), 0) << good.log();
}

}  // namespace
}  // namespace virtgpu::worker
