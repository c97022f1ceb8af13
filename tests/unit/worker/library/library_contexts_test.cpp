// The worker with a library of somebody else's: tests/apir/known_answers_library.cpp.
#include "worker/library/library_contexts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <future>

#include "tests/unit/backend/memory_region.h"
#include "tests/unit/backend/recording_log.h"
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
constexpr int kHung = 3;  // the worker's exit code

std::vector<std::string> with_library(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--apir-library", VIRTGPU_KNOWN_ANSWERS});
    return more;
}

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

    static std::string text(const SharedMemory& memory, uint64_t offset) {
        std::array<char, 64> text{};
        (void)memory.region->copy_out(offset, std::as_writable_bytes(std::span(text)));
        text.back() = '\0';
        return text.data();
    }

    OpenStatus status_ = OpenStatus::kRefused;
    uint32_t serial_ = 0;
    SharedMemory replies_{16384};
    SharedMemory data_{16384};
    wire::FileDescriptor loan_{::memfd_create("loan", MFD_CLOEXEC)};
};

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
    EXPECT_EQ(text(replies_, 4), "/some/libggml.so");
}

// Two would write it: the worker appends, and upstream's library empties it first.
TEST_F(LibraryContextsTest, TheLogFileIsTheWorkersAlone) {
    ::setenv("APIR_LLAMA_CPP_LOG_TO_FILE", "/some/file", 1);
    WorkerProcess worker(with_library());
    ::unsetenv("APIR_LLAMA_CPP_LOG_TO_FILE");
    open_with_regions(worker);
    ASSERT_EQ(call(worker, ForwardCommand::kDeviceGetDescription), kAnswered) << worker.log();
    EXPECT_EQ(text(replies_, 4), "none");
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

TEST_F(LibraryContextsTest, AnExceptionIsAnsweredAsAFailure) {
    WorkerProcess worker(with_library());
    open_with_regions(worker);
    EXPECT_EQ(call(worker, ForwardCommand::kBufferCpyTensor), kAnswered);
    EXPECT_EQ(word(replies_, 4) & 0xff, 0U) << "not copied";
    EXPECT_THAT(worker.log(),
                HasSubstr("context 7: command 19 of the APIR backend library: std::bad_alloc"));
    EXPECT_EQ(call(worker, ForwardCommand::kDeviceGetDeviceCount), kAnswered);
}

TEST_F(LibraryContextsTest, ACallThatNeverReturnsEndsTheWorkerWithItsReason) {
    WorkerProcess worker(with_library({"--graph-seconds", "1"}));
    open_with_regions(worker);
    EXPECT_EQ(call(worker, ForwardCommand::kBufferGetTensor, {10, 0}), kAnswered) << "10 ms";
    worker.send(
        WorkerMessage::kForward,
        protocol::WorkerForwardRequest{kContext,
                                       99,
                                       static_cast<uint32_t>(ForwardCommand::kBufferGetTensor),
                                       kReplies,
                                       0,
                                       {3'600'000, 0}});
    EXPECT_EQ(worker.wait(kSoon), kHung);
    EXPECT_THAT(worker.log(), HasSubstr("a call of context 7 into the APIR backend library takes "
                                        "longer than 1 s and cannot be broken off"));
}

TEST_F(LibraryContextsTest, ALibraryThatDoesNotStartIsRefusedWithWhatItsCodeSays) {
    WorkerProcess worker(
        with_library({"--ggml-library", "/some/libggml.so", "--ggml-library-reg", "refuse 14"}));
    open_context(worker);
    EXPECT_EQ(status_, OpenStatus::kRefused);
    EXPECT_THAT(worker.log(), HasSubstr("the APIR backend library does not start, its code is 14: "
                                        "/some/libggml.so has no device"));
    EXPECT_THAT(worker.log(), HasSubstr("known answers: context 7 ended"))
        << "its start may have left something behind";
}

TEST_F(LibraryContextsTest, ASecondContextIsRefused) {
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
}

// What a guest's first context would meet is met before anybody connects.
TEST_F(LibraryContextsTest, TheCheckStartsTheLibraryAndItsSandbox) {
    WorkerProcess good(with_library({"--check"}));
    EXPECT_EQ(good.wait(kSoon), 0) << good.log();
    EXPECT_THAT(good.log(), HasSubstr("sandbox: "));
    EXPECT_THAT(good.log(), HasSubstr("system calls"));
    EXPECT_THAT(good.log(), HasSubstr("known answers: context 1 ended"));
    WorkerProcess refuses(with_library({"--check", "--ggml-library-reg", "refuse 3"}));
    EXPECT_EQ(refuses.wait(kSoon), 1);
    EXPECT_THAT(refuses.log(),
                HasSubstr("the APIR backend library does not start, its code is 3: cannot open the "
                          "GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined"));
}

// In this process.
class OpenedLibrary : public ::testing::Test {
 protected:
    void SetUp() override {
        options_.path = VIRTGPU_KNOWN_ANSWERS;
        options_.grace = std::chrono::milliseconds(20);
    }

    wire::Result<std::unique_ptr<backend::ServedContext>> open() {
        contexts_ = *LibraryContexts::open(options_, log_);
        return contexts_->open_context(kContext, std::make_shared<backend::TestRegions>(), {});
    }

    LibraryOptions options_;
    backend::RecordingLog log_;
    std::unique_ptr<LibraryContexts> contexts_;
};

TEST_F(OpenedLibrary, IsEndedWhenWhatComesAfterItsStartFails) {
    options_.started = [] {
        return wire::Result<void>(wire::fail(wire::Fault::kSystem, "no sandbox"));
    };
    ::testing::internal::CaptureStderr();
    const auto opened = open();
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "known answers: context 7 ended\n");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message(), "no sandbox");
}

TEST_F(OpenedLibrary, HasATimeToStartIn) {
    std::promise<std::string> hung;
    options_.ggml.reg = "start slowly";
    options_.start_time = std::chrono::milliseconds(10);
    options_.hung = [&](const std::string& why) { hung.set_value(why); };
    EXPECT_TRUE(open()) << "when nobody ends the process";
    auto why = hung.get_future();
    ASSERT_EQ(why.wait_for(kSoon), std::future_status::ready);
    EXPECT_THAT(why.get(), HasSubstr("the start of the APIR backend library takes longer than"));
}

TEST_F(OpenedLibrary, HasATimeToBeLoadedIn) {
    std::promise<std::string> hung;
    options_.start_time = std::chrono::milliseconds(10);
    options_.hung = [&](const std::string& why) { hung.set_value(why); };
    options_.path = VIRTGPU_LOADS_SLOWLY;
    EXPECT_FALSE(LibraryContexts::open(options_, log_)) << "when nobody ends the process";
    auto why = hung.get_future();
    ASSERT_EQ(why.wait_for(kSoon), std::future_status::ready);
    EXPECT_THAT(why.get(), HasSubstr("the start of the APIR backend library takes longer than"));
}

TEST_F(OpenedLibrary, AnExceptionOfItsStartIsARefusal) {
    for (const auto& [name, said] : {std::pair("throw error", "std::bad_alloc"),
                                     std::pair("throw number", "what is no exception")}) {
        options_.ggml.reg = name;
        const auto opened = open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().fault(), wire::Fault::kRefused);
        EXPECT_THAT(opened.error().message(),
                    HasSubstr("the APIR backend library does not start: it threw "));
        EXPECT_THAT(opened.error().message(), HasSubstr(said));
    }
}

TEST_F(OpenedLibrary, AnExceptionOfItsEndIsAWarning) {
    options_.ggml.reg = "throw at the end";
    auto opened = open();
    ASSERT_TRUE(opened);
    (*opened)->close();
    EXPECT_THAT(log_.text(), HasSubstr("context 7: the end of the APIR backend library: it threw "
                                       "std::bad_alloc"));
}

TEST_F(OpenedLibrary, IsEndedOnce) {
    auto opened = open();
    ASSERT_TRUE(opened);
    ::testing::internal::CaptureStderr();
    (*opened)->close();
    (*opened).reset();
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "known answers: context 7 ended\n");
}

TEST_F(OpenedLibrary, HasATimeToEndInAlsoWhereCallsHaveNone) {
    std::promise<std::string> hung;
    options_.end_time = std::chrono::milliseconds(10);
    options_.hung = [&](const std::string& why) { hung.set_value(why); };
    auto opened = open();
    ASSERT_TRUE(opened);
    std::vector<std::byte> three_seconds(sizeof(uint64_t));
    const uint64_t milliseconds = 3000;
    std::memcpy(three_seconds.data(), &milliseconds, sizeof milliseconds);
    ASSERT_TRUE((*opened)->forward({static_cast<uint32_t>(ForwardCommand::kBufferGetTensor),
                                    kReplies, 0, three_seconds, [] {}}));
    while ((*opened)->summary().requests == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    (*opened)->close();
    auto why = hung.get_future();
    ASSERT_EQ(why.wait_for(kSoon), std::future_status::ready);
    EXPECT_THAT(why.get(),
                HasSubstr("the APIR backend library still works for context 7, which ended"));
}

}  // namespace
}  // namespace virtgpu::worker
