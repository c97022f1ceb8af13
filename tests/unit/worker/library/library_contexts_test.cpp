// The worker with a library of somebody else's: tests/apir/known_answers_library.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/unit/worker/worker_process.h"
#include "wire/generated/codec.h"

namespace virtgpu::worker {
namespace {

using protocol::ForwardCommand;
using protocol::OpenStatus;
using protocol::WorkerMessage;
using ::testing::HasSubstr;

constexpr uint32_t kContext = 7;
constexpr uint32_t kReplies = 4;
constexpr uint32_t kData = 5;
constexpr uint32_t kAnswered = 1 + protocol::kApirForwardSuccess;
constexpr std::chrono::milliseconds kSoon(20000);

class LibraryContextsTest : public ::testing::Test {
 protected:
    void open_context(WorkerProcess& worker, uint32_t context = kContext) {
        worker.send(WorkerMessage::kOpenContext, protocol::WorkerOpenContextRequest{context});
        status_ = worker.expect<protocol::WorkerContextOpenedRequest>().status;
    }

    void open_with_regions(WorkerProcess& worker) {
        open_context(worker);
        ASSERT_EQ(status_, OpenStatus::kOk) << worker.log();
        add(worker, kReplies, replies_);
        add(worker, kData, data_);
    }

    void add(WorkerProcess& worker, uint32_t region, const SharedMemory& memory) {
        worker.send(WorkerMessage::kAddRegion,
                    protocol::WorkerAddRegionRequest{kContext, region, memory.region->size(), 0},
                    {memory.file.number(), loan_.number()});
    }

    // The word that says that there is an answer: 1 + the code of FORWARD.
    uint32_t call(WorkerProcess& worker, ForwardCommand command,
                  std::vector<uint32_t> arguments = {}) {
        const uint32_t pending = 0;
        (void)replies_.region->copy_in(0, std::as_bytes(std::span(&pending, 1)));
        worker.send(
            WorkerMessage::kForward,
            protocol::WorkerForwardRequest{kContext, ++serial_, static_cast<uint32_t>(command),
                                           kReplies, 0, std::move(arguments)});
        EXPECT_EQ(worker.expect<protocol::WorkerForwardedRequest>().serial, serial_)
            << worker.log();
        return word(replies_, 0);
    }

    static uint32_t word(const SharedMemory& memory, uint64_t offset) {
        uint32_t value = 0;
        (void)memory.region->copy_out(offset, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }

    OpenStatus status_ = OpenStatus::kRefused;
    uint32_t serial_ = 0;
    SharedMemory replies_{16384};
    SharedMemory data_{16384};
    wire::FileDescriptor loan_{::memfd_create("loan", MFD_CLOEXEC)};
};

std::vector<std::string> with_library(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--apir-library", VIRTGPU_KNOWN_ANSWERS});
    return more;
}

TEST_F(LibraryContextsTest, TheLibraryAnswersFromOneThread) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    ASSERT_EQ(call(worker, ForwardCommand::kDeviceGetDeviceCount), kAnswered);
    EXPECT_EQ(word(replies_, 4), 0x67452301U);
    ASSERT_EQ(call(worker, ForwardCommand::kDeviceGetCount), kAnswered);
    EXPECT_EQ(word(replies_, 4), 1U) << "threads";
    worker.send(WorkerMessage::kCloseContext, protocol::WorkerCloseContextRequest{kContext});
    worker.drain();
    EXPECT_EQ(worker.wait(kSoon), 0) << worker.log();
    EXPECT_THAT(worker.log(), HasSubstr("context closed: context=7 graphs=0"));
    EXPECT_THAT(worker.log(), HasSubstr("requests=2"));
}

TEST_F(LibraryContextsTest, TheLibraryAsksForItsConfiguration) {
    WorkerProcess worker(with_library({"--ggml-library", "/some/libggml.so"}));
    open_with_regions(worker);
    ASSERT_EQ(call(worker, ForwardCommand::kDeviceGetName), kAnswered) << worker.log();
    std::array<char, 17> path{};
    (void)replies_.region->copy_out(4, std::as_writable_bytes(std::span(path)));
    EXPECT_STREQ(path.data(), "/some/libggml.so");
}

TEST_F(LibraryContextsTest, TheLibraryReachesTheRegionsOfItsContextAndNoOther) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    EXPECT_EQ(call(worker, ForwardCommand::kBufferClear, {kData, 0, 0xabcd}), kAnswered);
    EXPECT_EQ(word(data_, 0), 0xabcdU);
    EXPECT_EQ(call(worker, ForwardCommand::kBufferClear, {99, 0, 0xabcd}), kAnswered + 1)
        << "its own code is passed on";
    worker.send(WorkerMessage::kRemoveRegion, protocol::WorkerRemoveRegionRequest{kContext, kData});
    EXPECT_EQ(call(worker, ForwardCommand::kBufferClear, {kData, 0, 1}), kAnswered + 1);
}

TEST_F(LibraryContextsTest, Upstream18AnEndOfTheReplyThatIsNotSetIsAnEmptyReply) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    EXPECT_EQ(call(worker, ForwardCommand::kBufferTypeGetAlignment), kAnswered + 6);
    EXPECT_EQ(call(worker, ForwardCommand::kDeviceGetDeviceCount), kAnswered);
}

TEST_F(LibraryContextsTest, AReplyThatEndsOutsideOfItsPlaceIsAFailedGraph) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    EXPECT_EQ(call(worker, ForwardCommand::kBackendGraphCompute), kAnswered);
    EXPECT_EQ(static_cast<protocol::GraphStatus>(word(replies_, 4)),
              protocol::GraphStatus::kFailed);
    EXPECT_THAT(worker.log(), HasSubstr("ends outside of its place"));
}

TEST_F(LibraryContextsTest, ACrashEndsTheWorkerAlone) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    worker.send(
        WorkerMessage::kForward,
        protocol::WorkerForwardRequest{kContext,
                                       1,
                                       static_cast<uint32_t>(ForwardCommand::kBufferFreeBuffer),
                                       kReplies,
                                       0,
                                       {}});
    EXPECT_TRUE(worker.wait_closed());
}

TEST_F(LibraryContextsTest, ALibraryThatDoesNotStartAndASecondContextAreRefused) {
    WorkerProcess refuses(with_library({"--ggml-library-reg", "refuse"}));
    open_context(refuses);
    EXPECT_EQ(status_, OpenStatus::kRefused);
    EXPECT_THAT(refuses.log(), HasSubstr("does not start, its code is 15"));
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    open_context(worker, kContext + 1);
    EXPECT_EQ(status_, OpenStatus::kRefused);
    EXPECT_EQ(call(worker, ForwardCommand::kDeviceGetDeviceCount), kAnswered);
}

TEST_F(LibraryContextsTest, RingsAreRefused) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    WorkerRing ring;
    add(worker, kData + 1, ring.memory);
    worker.send(WorkerMessage::kOpenRing,
                protocol::WorkerOpenRingRequest{kContext, 0, kData + 1, WorkerRing::kBytes,
                                                WorkerRing::kBytes},
                {ring.doorbell.number(), ring.completion.number()});
    EXPECT_EQ(worker.expect<protocol::WorkerRingOpenedRequest>().status, OpenStatus::kRefused);
    EXPECT_THAT(worker.log(), HasSubstr("speaks level 1 alone"));
}

TEST_F(LibraryContextsTest, WhatIsNoSuchLibraryEndsWithAMessage) {
    WorkerProcess missing({"--check", "--apir-library", "/nowhere/lib.so"});
    EXPECT_EQ(missing.wait(kSoon), 1);
    EXPECT_THAT(missing.log(), HasSubstr("cannot open the APIR backend library: /nowhere/lib.so is "
                                         "no file that can be read; VIRGL_APIR_BACKEND_LIBRARY"));
    WorkerProcess program({"--check", "--apir-library", "/etc/passwd"});
    EXPECT_EQ(program.wait(kSoon), 1);
    EXPECT_THAT(program.log(), HasSubstr("cannot open the APIR backend library: /etc/passwd: "));
    WorkerProcess good(with_library({"--check"}));
    EXPECT_EQ(good.wait(kSoon), 0) << good.log();
}

}  // namespace
}  // namespace virtgpu::worker
